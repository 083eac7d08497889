/** CD and DVD images. Source: ECMA-119 (ISO 9660), sections 6.3 and 8. */
import type { BlockBackend } from "../machine/types.ts";
import { ImageError } from "./errors.ts";
import { PaddedDisk } from "./padded_disk.ts";

/** Bytes in a sector of a data CD. */
export const CD_SECTOR = 2048;
/** First sector of the volume descriptors. */
const FIRST_DESCRIPTOR = 16;
/** Descriptors beyond this number are not looked at: an image without the terminator must not keep us busy. */
const MAX_DESCRIPTORS = 64;
/** Size of a raw sector as the drive reads it off the disc, and its first bytes. */
const RAW_SECTOR = 2352;
const RAW_SYNC = [0x00, 0xff, 0xff, 0xff];

/** One descriptor: its type and its 2048 bytes. */
export interface VolumeDescriptor {
  readonly type: number;
  readonly bytes: Uint8Array;
}

/** The ISO 9660 volume descriptors of a medium, up to the terminator. */
export function* volumeDescriptors(medium: BlockBackend): Generator<VolumeDescriptor> {
  for (let i = 0; i < MAX_DESCRIPTORS; i++) {
    const at = (FIRST_DESCRIPTOR + i) * CD_SECTOR;
    if (at + CD_SECTOR > medium.size) return;
    const bytes = new Uint8Array(CD_SECTOR);
    medium.read(at, bytes);
    if (String.fromCharCode(...bytes.subarray(1, 6)) !== "CD001" || bytes[0] === 255) return;
    yield { type: bytes[0], bytes };
  }
}

/**
 * Makes a CD medium of an image: whole sectors of 2048 bytes, the last one filled up with zeros.
 *
 * @throws ImageError if the image has no sector at all, or is a raw dump with 2352-byte sectors.
 */
export function openCd(image: BlockBackend): BlockBackend {
  if (image.size < 512) {
    throw new ImageError(
      `a CD image has at least one sector, but this one has ${image.size} bytes: is it the right file?`,
    );
  }
  const start = new Uint8Array(512);
  image.read(0, start);
  if (image.size % RAW_SECTOR === 0 && RAW_SYNC.every((byte, i) => start[i] === byte) && start[11] === 0) {
    throw new ImageError(
      "the image has raw sectors of 2352 bytes (a .bin of a .cue), but an ISO image with 2048-byte sectors is needed: convert it",
    );
  }
  const size = Math.ceil(image.size / CD_SECTOR) * CD_SECTOR;
  return size === image.size ? image : new PaddedDisk(image, size);
}
