/** The file format of snapshots: a plain value, its memory as pages by content. */
export { SnapshotError, type SnapshotProblem } from "./errors.ts";
export {
  decodeSnapshot,
  encodeSnapshot,
  inspectSnapshot,
  type ReadOptions,
  type Snapshot,
  type SnapshotCodec,
  type SnapshotOptions,
} from "./snapshot_file.ts";
