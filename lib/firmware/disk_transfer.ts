/** Moving sectors between a medium and guest memory, and the status codes of INT 13h. */
import type { BlockBackend } from "../machine/types.ts";
import type { LinearMemory } from "./linear_memory.ts";

/** INT 13h status codes. Source: IBM BIOS interface technical reference. */
export const DiskError = {
  NONE: 0x00,
  BAD_COMMAND: 0x01,
  WRITE_PROTECTED: 0x03,
  NOT_FOUND: 0x04,
  CHANGED: 0x06,
  BOUNDARY: 0x09,
  UNSUPPORTED_MEDIA: 0x0c,
  CONTROLLER: 0x20,
  NOT_LOCKED: 0xb0,
  NOT_REMOVABLE: 0xb2,
  TIMEOUT: 0x80,
  NOT_READY: 0xaa,
} as const;

const CHUNK = 64 * 1024;

/** How far a transfer came: blocks moved, and a {@link DiskError}. */
export interface TransferResult {
  readonly done: number;
  readonly error: number;
}

/** Reads `count` blocks from block `lba` into linear memory at `buffer`. A short medium ends the transfer with NOT_FOUND. */
export function readSectors(
  medium: BlockBackend,
  lba: number,
  count: number,
  memory: LinearMemory,
  buffer: number,
  blockSize = 512,
): TransferResult {
  return transfer(medium, lba, count, blockSize, (offset, chunk, moved) => {
    medium.read(offset, chunk);
    memory.write(buffer + moved, chunk);
  });
}

/** Writes `count` blocks from linear memory at `buffer` to block `lba`. */
export function writeSectors(
  medium: BlockBackend,
  lba: number,
  count: number,
  memory: LinearMemory,
  buffer: number,
  blockSize = 512,
): TransferResult {
  if (medium.readOnly) return { done: 0, error: DiskError.WRITE_PROTECTED };
  return transfer(medium, lba, count, blockSize, (offset, chunk, moved) => {
    memory.read(buffer + moved, chunk);
    medium.write(offset, chunk);
  });
}

function transfer(
  medium: BlockBackend,
  lba: number,
  count: number,
  blockSize: number,
  move: (offset: number, chunk: Uint8Array, moved: number) => void,
): TransferResult {
  const fitting = Math.max(0, Math.min(count, Math.floor(medium.size / blockSize) - lba));
  let done = 0;
  try {
    while (done < fitting) {
      const blocks = Math.min(fitting - done, CHUNK / blockSize);
      move((lba + done) * blockSize, new Uint8Array(blocks * blockSize), done * blockSize);
      done += blocks;
    }
  } catch {
    // A BlockError, or whatever else a host's backend throws: the guest sees a failed controller.
    return { done, error: DiskError.CONTROLLER };
  }
  return { done, error: done < count ? DiskError.NOT_FOUND : DiskError.NONE };
}
