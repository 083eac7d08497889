/** A guest at one instruction: kept in memory or in a file, to be continued as often as wanted. */
import type { OverlayContent } from "../disk/mod.ts";
import { writeFileAtomically } from "../host/atomic_write.ts";
import type { SavedMachine } from "../machine/machine.ts";
import { SnapshotError } from "./errors.ts";
import { pathOf } from "./path.ts";
import type { Drive, ImageSettings, MachineSettings } from "./settings.ts";
import type { TranscriptState } from "./transcript.ts";

/** What a snapshot holds. Plain data that is shared with no guest. */
export interface SnapshotContents {
  /** What the machine is made of. */
  readonly settings: MachineSettings;
  /** The images in its drives. */
  readonly images: { readonly [drive in Drive]?: ImageSettings };
  /** What tells these images from others, by drive. */
  readonly fingerprints: { readonly [drive in Drive]?: string };
  readonly machine: SavedMachine;
  /** What was written to the drives. */
  readonly disks: { readonly [drive in Drive]?: OverlayContent };
  /** What was received on the serial lines. */
  readonly serials: readonly TranscriptState[];
  /** What was received from the debug port. */
  readonly debug: TranscriptState;
}

/**
 * A guest at one instruction: processor, memory, devices, what was written to its disks and received on its lines.
 * {@link Guest.restore} puts a guest back to it, `Guest.boot({ snapshot })` makes a new one of it.
 *
 * The contents of image files are not part of it, only what was written to them: the same images must be there when it
 * is used. Images that were given as bytes are part of it.
 */
export class Snapshot {
  /** @internal What is put into guests. */
  readonly contents: SnapshotContents;

  /** @internal Made by {@link Guest.snapshot}. */
  constructor(contents: SnapshotContents) {
    this.contents = contents;
  }

  /**
   * Reads a snapshot that {@link save} wrote. Needs permission to read the file. Throws {@link SnapshotError} if it is
   * no snapshot, is damaged, or comes from a later version.
   */
  static async open(path: string | URL): Promise<Snapshot> {
    const name = pathOf(path);
    let file: Uint8Array;
    try {
      file = await Deno.readFile(name);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) throw new SnapshotError(`snapshot not found: ${name}`);
      throw new SnapshotError(`cannot read ${name}: ${error instanceof Error ? error.message : error}`, {
        cause: error,
      });
    }
    const { readSnapshot } = await import("./snapshot_file.ts");
    return new Snapshot(readSnapshot(file, name));
  }

  /**
   * Writes the snapshot to a file, all at once: a reader, or a crash, sees the whole file or the one that was there
   * before. Needs permission to read and write in the file's folder.
   */
  async save(path: string | URL): Promise<void> {
    const name = pathOf(path);
    const { snapshotFile } = await import("./snapshot_file.ts");
    await writeFileAtomically(name, snapshotFile(this.contents));
  }
}
