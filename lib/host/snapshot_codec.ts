/** Packing and hashing for snapshots with the host's libraries. */
import { createHash } from "node:crypto";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { SnapshotCodec } from "../snapshot/mod.ts";

const LEVEL = 3;

/** zstd and SHA-256. */
export const hostCodec: SnapshotCodec = {
  pack: (bytes) => plain(zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: LEVEL } })),
  unpack: (bytes, limit) => plain(zstdDecompressSync(bytes, { maxOutputLength: Math.max(1, limit) })),
  sha256: (bytes) => plain(createHash("sha256").update(bytes).digest()),
};

/** A Node buffer as the plain array that it is. */
function plain(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}
