/**
 * Writes cpio archives in the `newc` format, as the Linux kernel unpacks them. Source: cpio(5),
 * linux/Documentation/driver-api/early-userspace/buffer-format.rst.
 */

/** One entry of an archive. Directories must come before what is in them. */
export interface CpioEntry {
  /** Path without a leading slash. */
  path: string;
  kind: "file" | "directory" | "symlink" | "character device";
  /** Permission bits, for example `0o755`. */
  permissions: number;
  /** Contents of a file, target of a symbolic link. */
  data?: Uint8Array | string;
  /** Major and minor number of a device. */
  device?: readonly [number, number];
}

const TYPE_BITS = { file: 0o100000, directory: 0o040000, symlink: 0o120000, "character device": 0o020000 } as const;
const MAGIC = "070701";
const TRAILER = "TRAILER!!!";
const HEADER_BYTES = 6 + 13 * 8;

const encoder = new TextEncoder();

function align4(length: number): number {
  return (length + 3) & ~3;
}

/** An archive of `entries`, owned by root, with the time stamp 0: equal entries give equal bytes. */
export function cpioArchive(entries: readonly CpioEntry[]): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  let total = 0;
  const add = (bytes: Uint8Array, padded: number) => {
    const part = new Uint8Array(padded);
    part.set(bytes);
    parts.push(part);
    total += padded;
  };
  const addEntry = (inode: number, mode: number, path: string, data: Uint8Array, device: readonly [number, number]) => {
    const name = encoder.encode(`${path}\0`);
    const links = (mode & 0o170000) === TYPE_BITS.directory ? 2 : 1;
    const fields = [inode, mode, 0, 0, links, 0, data.length, 0, 0, device[0], device[1], name.length, 0];
    // Order of the header: inode, mode, uid, gid, links, time, size, device of the file system, device, name size, checksum.
    const header = encoder.encode(MAGIC + fields.map((value) => value.toString(16).padStart(8, "0")).join(""));
    const start = new Uint8Array(header.length + name.length);
    start.set(header);
    start.set(name, HEADER_BYTES);
    add(start, align4(start.length));
    add(data, align4(data.length));
  };
  for (const [i, entry] of entries.entries()) {
    if (entry.path === "" || entry.path.startsWith("/") || entry.path.includes("\0")) {
      throw new RangeError(
        `${JSON.stringify(entry.path)} cannot be a path in an archive: paths are relative and not empty`,
      );
    }
    const data = typeof entry.data === "string" ? encoder.encode(entry.data) : entry.data ?? new Uint8Array(0);
    addEntry(i + 1, TYPE_BITS[entry.kind] | entry.permissions, entry.path, data, entry.device ?? [0, 0]);
  }
  addEntry(0, 0, TRAILER, new Uint8Array(0), [0, 0]);

  const archive = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    archive.set(part, at);
    at += part.length;
  }
  return archive;
}
