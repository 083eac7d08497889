/** Snapshots as files. What this takes is loaded with the first file: a guest that needs none starts sooner. */
import { hostCodec } from "../host/snapshot_codec.ts";
import type { StateValue } from "../machine/types.ts";
import { decodeSnapshot, encodeSnapshot, SnapshotError as FileError } from "../snapshot/mod.ts";
import { SnapshotError } from "./errors.ts";
import type { SnapshotContents } from "./snapshot.ts";
import { contentsOf } from "./snapshot_contents.ts";

/**
 * The snapshot in `file`, which is called `name`.
 *
 * @throws SnapshotError if it is no snapshot, is damaged, or comes from a later version.
 */
export function readSnapshot(file: Uint8Array, name: string): SnapshotContents {
  try {
    return contentsOf(decodeSnapshot(file, hostCodec).value);
  } catch (error) {
    if (!(error instanceof FileError || error instanceof SnapshotError)) throw error;
    throw new SnapshotError(`${name}: ${error.message}`, { cause: error });
  }
}

/** The file that holds a snapshot. */
export function snapshotFile(contents: SnapshotContents): Uint8Array {
  return encodeSnapshot(contents as unknown as StateValue, hostCodec);
}
