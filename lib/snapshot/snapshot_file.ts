/**
 * The snapshot file: a plain value, its large arrays as pages by content hash.
 *
 * | bytes          | contents                                                                        |
 * | -------------- | ------------------------------------------------------------------------------- |
 * | 8              | magic                                                                           |
 * | 4              | format version                                                                  |
 * | 8              | length of the whole file                                                        |
 * | 4, 4           | length of the manifest, packed and unpacked                                     |
 * | 4              | number of blocks                                                                |
 * | 4 each         | packed length of each block                                                     |
 * | …              | the manifest, then the blocks of up to 256 pages                                |
 * | 32             | SHA-256 of everything before, which is also the snapshot's identity             |
 *
 * The manifest is the canonical form of `{ meta, parent, hashes, local, root, arrays }`. A page is stored once, a page of
 * zeros never, and a child of another snapshot holds only the pages that none of its ancestors has. All numbers are
 * little-endian.
 */
import { decodeState, encodeState } from "../machine/state.ts";
import type { StateValue } from "../machine/types.ts";
import { SnapshotError } from "./errors.ts";
import { isPagedArray, joinPages, PAGE, type PagedArray, putBack, splitPages } from "./paged.ts";

/** What the format needs of the host: a packer and a hash. */
export interface SnapshotCodec {
  /** Packs bytes. The same bytes always give the same result. */
  pack(bytes: Uint8Array): Uint8Array;
  /** Unpacks at most `limit` bytes; throws if there are more or if the packed bytes are damaged. */
  unpack(bytes: Uint8Array, limit: number): Uint8Array;
  /** SHA-256 as 32 bytes. */
  sha256(bytes: Uint8Array): Uint8Array;
}

/** Version of the format. */
const SNAPSHOT_FORMAT = 1;

/** Like PNG's: an unprintable byte, the name, and line ends that show up damage by text transfers. */
const MAGIC = Uint8Array.of(0x89, 0x42, 0x57, 0x53, 0x0d, 0x0a, 0x1a, 0x0a);
const HEADER = 8 + 4 + 8 + 4 + 4 + 4;
const HASH = 32;
const BLOCK_PAGES = 256;
/** More than any manifest has: 64 bytes for each page of 8 GiB. */
const MAX_MANIFEST = 128 * 1024 * 1024;
const DEFAULT_LIMIT = 8 * 1024 ** 3;

/** Bytes as lower-case hexadecimal digits. */
function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** What is in a snapshot file. */
export interface Snapshot {
  /** SHA-256 of the file, in hexadecimal: a child names its parent by it. */
  readonly id: string;
  /** Identity of the parent; null for a snapshot that stands alone. */
  readonly parent: string | null;
  /** What was given as {@link SnapshotOptions.meta}. */
  readonly meta: StateValue;
  /** The value that was saved. */
  readonly value: StateValue;
  /** The contents of the page with this SHA-256 (hexadecimal), if it or one of its ancestors has it. */
  page(hash: string): Uint8Array | undefined;
}

/** Options of {@link encodeSnapshot}. */
export interface SnapshotOptions {
  /** Anything that describes the snapshot, such as its name; it can be read without the rest. */
  meta?: StateValue;
  /** The snapshot that this one is based on: what it has is not stored again. */
  parent?: Snapshot;
}

/** Writes `value` as a snapshot file. */
export function encodeSnapshot(value: StateValue, codec: SnapshotCodec, options: SnapshotOptions = {}): Uint8Array {
  const store = new PageStore(codec, options.parent);
  const arrays: PagedArray[] = [];
  const root = splitPages(value, arrays, (page) => store.number(page));
  store.renumber(arrays);
  const manifest = encodeState({
    meta: options.meta ?? null,
    parent: options.parent?.id ?? null,
    hashes: store.hashes(),
    local: store.local.length,
    root,
    arrays,
  });
  if (manifest.length > MAX_MANIFEST) {
    throw new SnapshotError("too-large", `the machine's state is too large for a snapshot: ${manifest.length} bytes`);
  }
  const blocks: Uint8Array[] = [];
  for (let first = 0; first < store.local.length; first += BLOCK_PAGES) {
    blocks.push(codec.pack(concat(store.local.slice(first, first + BLOCK_PAGES))));
  }
  return assemble(codec, manifest, blocks);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function assemble(codec: SnapshotCodec, manifest: Uint8Array, blocks: readonly Uint8Array[]): Uint8Array {
  const packed = codec.pack(manifest);
  const length = HEADER + 4 * blocks.length + packed.length + blocks.reduce((sum, { length }) => sum + length, 0) +
    HASH;
  const header = new Uint8Array(HEADER + 4 * blocks.length), view = new DataView(header.buffer);
  header.set(MAGIC);
  view.setUint32(8, SNAPSHOT_FORMAT, true);
  view.setBigUint64(12, BigInt(length), true);
  view.setUint32(20, packed.length, true);
  view.setUint32(24, manifest.length, true);
  view.setUint32(28, blocks.length, true);
  blocks.forEach((block, i) => view.setUint32(HEADER + 4 * i, block.length, true));
  const file = new Uint8Array(length);
  file.set(concat([header, packed, ...blocks]));
  file.set(codec.sha256(file.subarray(0, length - HASH)), length - HASH);
  return file;
}

/** Collects pages while a snapshot is being written. */
class PageStore {
  /** Pages that are stored in this file. */
  readonly local: Uint8Array[] = [];
  readonly #codec: SnapshotCodec;
  readonly #parent: Snapshot | undefined;
  /** In the order of first use: hash, and whether the page is stored here. */
  readonly #known = new Map<string, number>();
  readonly #hashes: { bytes: Uint8Array; local: boolean }[] = [];

  constructor(codec: SnapshotCodec, parent: Snapshot | undefined) {
    this.#codec = codec;
    this.#parent = parent;
  }

  number(page: Uint8Array): number {
    const bytes = this.#codec.sha256(page), hash = hex(bytes);
    let number = this.#known.get(hash);
    if (number === undefined) {
      const local = this.#parent?.page(hash) === undefined;
      number = this.#hashes.push({ bytes, local }) - 1;
      this.#known.set(hash, number);
      if (local) this.local.push(page);
    }
    return number;
  }

  /** Puts the pages that are stored here before those of the ancestors. */
  renumber(arrays: readonly PagedArray[]): void {
    const place = new Uint32Array(this.#hashes.length + 1);
    let local = 0, inherited = this.local.length;
    this.#hashes.forEach((entry, i) => place[i + 1] = 1 + (entry.local ? local++ : inherited++));
    for (const { pages } of arrays) for (let i = 0; i < pages.length; i++) pages[i] = place[pages[i]];
  }

  hashes(): Uint8Array {
    const order = [...this.#hashes.filter(({ local }) => local), ...this.#hashes.filter(({ local }) => !local)];
    return concat(order.map(({ bytes }) => bytes));
  }
}

/** Options of {@link decodeSnapshot}. */
export interface ReadOptions {
  /** Most bytes that all arrays of the value may have together. Default 8 GiB. */
  limit?: number;
  /** The snapshot with this identity, for a child of it. */
  parent?(id: string): Snapshot | undefined;
}

/**
 * Reads a snapshot file. Everything is checked before anything is returned.
 *
 * @throws SnapshotError saying why it cannot be read; never any other error.
 */
export function decodeSnapshot(file: Uint8Array, codec: SnapshotCodec, options: ReadOptions = {}): Snapshot {
  try {
    return decode(file, codec, options);
  } catch (error) {
    if (error instanceof SnapshotError) throw error;
    // Bytes with a right checksum and a wrong meaning: somebody made them so.
    throw damaged(error instanceof Error ? error.message : String(error), error);
  }
}

function damaged(what: string, cause?: unknown): SnapshotError {
  return new SnapshotError("damaged", `the snapshot is damaged: ${what}`, { cause });
}

/** The checked parts of a file. */
interface Envelope {
  readonly id: string;
  readonly manifest: Uint8Array;
  readonly blocks: readonly Uint8Array[];
}

/** Checks magic, version, length and checksum and takes the file apart. */
function open(file: Uint8Array, codec: SnapshotCodec): Envelope {
  if (file.length < MAGIC.length || MAGIC.some((byte, i) => file[i] !== byte)) {
    throw new SnapshotError("foreign", "this is not a Bootwright snapshot: its first bytes are others");
  }
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const version = file.length >= 12 ? view.getUint32(8, true) : SNAPSHOT_FORMAT;
  if (version > SNAPSHOT_FORMAT) {
    throw new SnapshotError(
      "newer",
      `the snapshot has format version ${version}, this version of Bootwright reads up to ${SNAPSHOT_FORMAT}: update it`,
    );
  }
  if (file.length < HEADER + HASH) throw damaged(`it ends after ${file.length} bytes`);
  const length = view.getBigUint64(12, true);
  if (length !== BigInt(file.length)) {
    throw damaged(`it should have ${length} bytes, but has ${file.length} (an incomplete copy?)`);
  }
  const end = file.length - HASH, hash = file.subarray(end), actual = codec.sha256(file.subarray(0, end));
  if (hash.some((byte, i) => actual[i] !== byte)) throw damaged("its checksum is wrong");
  if (version === 0) throw damaged("it has no format version");
  const manifestLength = view.getUint32(20, true),
    unpacked = view.getUint32(24, true),
    count = view.getUint32(28, true);
  if (unpacked > MAX_MANIFEST) throw new SnapshotError("too-large", `the snapshot's manifest has ${unpacked} bytes`);
  if (HEADER + 4 * count > end) throw damaged("its list of blocks is longer than the file");
  let at = HEADER + 4 * count;
  const take = (length: number): Uint8Array => {
    if (length > end - at) throw damaged("a block is longer than the file");
    at += length;
    return file.subarray(at - length, at);
  };
  const packed = take(manifestLength);
  const blocks = Array.from({ length: count }, (_, i) => take(view.getUint32(HEADER + 4 * i, true)));
  if (at !== end) throw damaged("there are bytes that belong to no block");
  const manifest = codec.unpack(packed, unpacked);
  if (manifest.length !== unpacked) throw damaged("its manifest has the wrong length");
  return { id: hex(hash), manifest, blocks };
}

/** The checked fields of a manifest. */
interface Manifest {
  readonly meta: StateValue;
  readonly parent: string | null;
  readonly hashes: readonly string[];
  readonly local: number;
  readonly root: StateValue;
  readonly arrays: readonly PagedArray[];
}

function parseManifest(bytes: Uint8Array): Manifest {
  const value = decodeState(bytes);
  if (typeof value !== "object" || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) {
    throw damaged("its manifest is not a record");
  }
  const { meta, parent, hashes, local, root, arrays } = value;
  if (parent !== null && !(typeof parent === "string" && /^[0-9a-f]{64}$/.test(parent))) {
    throw damaged("the name of its parent is not one");
  }
  if (!(hashes instanceof Uint8Array) || hashes.length % HASH !== 0) throw damaged("its list of pages is not one");
  const total = hashes.length / HASH;
  if (typeof local !== "number" || !Number.isInteger(local) || local < 0 || local > total) {
    throw damaged("its number of pages is wrong");
  }
  if (meta === undefined || root === undefined) throw damaged("its manifest is incomplete");
  if (!Array.isArray(arrays) || !arrays.every(isPagedArray)) throw damaged("its list of arrays is not one");
  const names = Array.from({ length: total }, (_, i) => hex(hashes.subarray(i * HASH, (i + 1) * HASH)));
  return { meta, parent, hashes: names, local, root, arrays };
}

function decode(file: Uint8Array, codec: SnapshotCodec, options: ReadOptions): Snapshot {
  const { id, manifest, blocks } = open(file, codec);
  const { meta, parent: parentId, hashes, local, root, arrays } = parseManifest(manifest);
  const limit = options.limit ?? DEFAULT_LIMIT;
  const bytes = arrays.reduce((sum, array) => sum + array.bytes, 0);
  if (bytes > limit || local * PAGE > limit) {
    throw new SnapshotError("too-large", `the snapshot's arrays have ${bytes} bytes, more than the ${limit} allowed`);
  }
  const parent = parentId === null ? undefined : findParent(parentId, options);
  const own = unpackPages(codec, blocks, hashes.slice(0, local));
  const page = (hash: string): Uint8Array | undefined => own.get(hash) ?? parent?.page(hash);
  let value: StateValue = root;
  for (const array of arrays) {
    const joined = joinPages(array, (number) => number < hashes.length ? page(hashes[number]) : undefined);
    if (joined === null) throw damaged(`pages of ${array.path.join(".")} are missing`);
    const placed = putBack(value, array.path, joined);
    if (placed === undefined) throw damaged(`there is no place for ${array.path.join(".")}`);
    value = placed;
  }
  return { id, parent: parentId, meta, value, page };
}

function findParent(id: string, options: ReadOptions): Snapshot {
  const parent = options.parent?.(id);
  if (parent === undefined || parent.id !== id) {
    throw new SnapshotError("parent", `the snapshot is based on another one, which is needed to read it: ${id}`);
  }
  return parent;
}

/** Unpacks all blocks and checks every page against its hash. */
function unpackPages(
  codec: SnapshotCodec,
  blocks: readonly Uint8Array[],
  hashes: readonly string[],
): Map<string, Uint8Array> {
  if (blocks.length !== Math.ceil(hashes.length / BLOCK_PAGES)) throw damaged("its number of blocks is wrong");
  const pages = new Map<string, Uint8Array>();
  blocks.forEach((block, i) => {
    const first = i * BLOCK_PAGES, count = Math.min(BLOCK_PAGES, hashes.length - first);
    const bytes = codec.unpack(block, count * PAGE);
    if (bytes.length !== count * PAGE) throw damaged(`block ${i} has the wrong length`);
    for (let j = 0; j < count; j++) {
      const page = bytes.subarray(j * PAGE, (j + 1) * PAGE);
      if (hex(codec.sha256(page)) !== hashes[first + j]) {
        throw damaged(`page ${first + j} is not the one that it should be`);
      }
      pages.set(hashes[first + j], page);
    }
  });
  return pages;
}

/** What can be told of a file without unpacking its pages. @throws SnapshotError as {@link decodeSnapshot} does. */
export function inspectSnapshot(
  file: Uint8Array,
  codec: SnapshotCodec,
): { id: string; parent: string | null; meta: StateValue } {
  try {
    const { id, manifest } = open(file, codec);
    const { parent, meta } = parseManifest(manifest);
    return { id, parent, meta };
  } catch (error) {
    if (error instanceof SnapshotError) throw error;
    throw damaged(error instanceof Error ? error.message : String(error), error);
  }
}
