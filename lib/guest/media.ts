/** Opens the images of a guest's drives. */
import { CD_SECTOR, ImageError, MemoryDisk, openCd, openFloppy, OverlayDisk, RawImage } from "../disk/mod.ts";
import { FileSource } from "../host/file_source.ts";
import { Hasher } from "../machine/hash.ts";
import type { BlockBackend } from "../machine/types.ts";
import type { Drive, ImageSettings } from "./settings.ts";

/** What is in a drive. */
export interface Medium {
  /** What the machine reads and writes. */
  readonly backend: BlockBackend;
  /** Where writes are kept; undefined for media that are not written, or written through to their file. */
  readonly overlay: OverlayDisk | undefined;
  /** True if writes go to the image's file. */
  readonly writeThrough: boolean;
  close(): void;
}

const SECTOR = 512;
/** Pieces of an image that its fingerprint looks at. */
const SAMPLES = 64;
const SAMPLE = 4096;

/** The contents of `bytes` as a medium: a copy is made only if the last sector is not whole. */
function memoryDisk(bytes: Uint8Array): MemoryDisk {
  if (bytes.length % SECTOR === 0) return new MemoryDisk(bytes);
  const whole = new Uint8Array(Math.ceil(bytes.length / SECTOR) * SECTOR);
  whole.set(bytes);
  return new MemoryDisk(whole);
}

/** Bytes in the smallest medium that fits in `drive`: one sector; and what people call it. */
function leastSize(drive: Drive): [number, string] {
  if (drive === "cdrom") return [CD_SECTOR, "a CD"];
  return [SECTOR, drive === "fda" || drive === "fdb" ? "a floppy" : "a disk"];
}

/** Opens an image for `drive`. Throws {@link ImageError} if that is impossible; the message names the drive and the image. */
export function openMedium(drive: Drive, settings: ImageSettings): Medium {
  const { source } = settings;
  const writeThrough = settings.write === "through" && drive !== "cdrom";
  const name = typeof source === "string" ? source : "the image";
  let file: FileSource | undefined;
  try {
    if (typeof source === "string") file = new FileSource(source, { write: writeThrough });
    const { size } = file ?? { size: source.length }, [least, medium] = leastSize(drive);
    if (size < least) {
      throw new ImageError(`the image is too small: it has ${size} bytes, but ${medium} has at least ${least}`);
    }
    const image = file === undefined ? memoryDisk(source as Uint8Array) : new RawImage(file, { writeThrough });
    const opened = file, close = () => opened?.close();
    if (drive === "cdrom") return { backend: openCd(image), overlay: undefined, writeThrough, close };
    const base = drive === "fda" || drive === "fdb" ? openFloppy(image).medium : image;
    if (writeThrough) return { backend: base, overlay: undefined, writeThrough, close };
    const overlay = new OverlayDisk(base, { readOnly: settings.readOnly });
    return { backend: overlay, overlay, writeThrough, close };
  } catch (error) {
    file?.close();
    if (!(error instanceof ImageError)) throw error;
    const message = error.message.includes(name) ? error.message : `${name}: ${error.message}`;
    throw new ImageError(`${drive}: ${message}`, { cause: error });
  }
}

/** Tells images apart: the size and samples from all over the unwritten image. */
export function fingerprint(medium: Medium): string {
  const base = medium.overlay?.base ?? medium.backend;
  const hasher = new Hasher();
  const buffer = new Uint8Array(Math.min(SAMPLE, base.size));
  const last = Math.floor((base.size - buffer.length) / SECTOR);
  for (let sample = 0; sample < SAMPLES; sample++) {
    base.read(Math.floor(last * sample / (SAMPLES - 1)) * SECTOR, buffer);
    hasher.add(buffer);
  }
  return `${base.size}:${hasher.digest()}`;
}
