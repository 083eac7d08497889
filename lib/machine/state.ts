/**
 * Generic handling of plain state: copying, restoring with checks, a canonical byte form. One implementation serves every
 * device, so that snapshot, restore, comparison and hash can forget no field.
 */
import type { DeviceState, StateValue } from "./types.ts";

/** A saved state does not fit: the message names the field, what was expected and what was found. */
export class StateError extends Error {
  override readonly name = "StateError";
}

const TYPED = [Uint8Array, Uint16Array, Uint32Array, Int32Array, BigUint64Array] as const;
type Typed = Uint8Array | Uint16Array | Uint32Array | Int32Array | BigUint64Array;
type StateRecord = { [key: string]: StateValue };

function isTyped(value: StateValue): value is Typed {
  return ArrayBuffer.isView(value);
}

/** What `value` is, in words for error messages and to compare shapes. */
function kindOf(value: StateValue | undefined): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (isTyped(value)) return `${value.constructor.name}(${value.length})`;
  if (Array.isArray(value)) return "array";
  return typeof value === "object" ? "record" : typeof value;
}

/** A deep copy of `value` that shares nothing with it. */
export function copyState<T extends StateValue>(value: T): T {
  return copy(value) as T;
}

function copy(value: StateValue): StateValue {
  if (typeof value !== "object" || value === null) return value;
  if (isTyped(value)) return value.slice();
  if (Array.isArray(value)) return value.map(copy);
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, copy(field)]));
}

/**
 * Checks that `source` has the shape of `target`: the same fields of the same types, typed arrays of the same length.
 * Plain arrays may have any length, and a field that is null on either side may be anything. Numbers are finite.
 *
 * @throws StateError naming the first field that does not fit; `path` is where `target` itself stands.
 */
export function checkState(target: StateValue, source: StateValue | undefined, path: string): void {
  const expected = kindOf(target), found = kindOf(source);
  if (source === undefined) throw new StateError(`${path}: missing, expected ${expected}`);
  if (target === null || source === null) return;
  if (expected !== found) throw new StateError(`${path}: expected ${expected}, found ${found}`);
  if (expected === "number" && !Number.isFinite(source)) {
    throw new StateError(`${path}: ${source} is not a finite number`);
  }
  if (expected === "array") {
    const example = target as StateValue[], items = source as StateValue[];
    if (example.length > 0) items.forEach((item, i) => checkState(example[i] ?? example[0], item, `${path}[${i}]`));
  } else if (expected === "record") {
    const fields = target as StateRecord, saved = source as StateRecord;
    for (const key of Object.keys(fields)) {
      checkState(fields[key], Object.hasOwn(saved, key) ? saved[key] : undefined, `${path}.${key}`);
    }
    for (const key of Object.keys(saved)) {
      if (!Object.hasOwn(fields, key)) throw new StateError(`${path}.${key}: unknown field`);
    }
  }
}

/**
 * Copies `source` into the existing object `target`, keeping the identity of every record and typed array in it, so that
 * references held by a device stay good. The shape must have passed {@link checkState}.
 */
export function restoreState(target: DeviceState, source: DeviceState): void {
  for (const key of Object.keys(target)) target[key] = restored(target[key], source[key]);
}

function restored(target: StateValue, source: StateValue): StateValue {
  if (target === null || typeof target !== "object" || source === null || typeof source !== "object") {
    return copy(source);
  }
  if (isTyped(target)) {
    target.set(source as never);
    return target;
  }
  if (Array.isArray(target)) {
    const items = source as StateValue[];
    target.length = Math.min(target.length, items.length);
    items.forEach((item, i) => target[i] = i < target.length ? restored(target[i], item) : copy(item));
    return target;
  }
  restoreState(target as DeviceState, source as DeviceState);
  return target;
}

const Tag = { NULL: 0, FALSE: 1, TRUE: 2, NUMBER: 3, BIGINT: 4, STRING: 5, ARRAY: 6, RECORD: 7, TYPED: 8 } as const;

/** A growing byte buffer. */
class Writer {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  result(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  u32(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#length, value, true);
    this.#length += 4;
  }

  f64(value: number): void {
    this.#reserve(8);
    this.#view.setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  text(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.u32(bytes.length);
    this.bytes(bytes);
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + count));
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

/**
 * The canonical byte form of `value`: equal states give equal bytes, whatever the order in which their fields were made.
 * Numbers little-endian; records with their keys in code unit order.
 */
export function encodeState(value: StateValue): Uint8Array {
  const writer = new Writer();
  encode(writer, value);
  return writer.result();
}

function encode(writer: Writer, value: StateValue): void {
  if (value === null) writer.u8(Tag.NULL);
  else if (typeof value === "boolean") writer.u8(value ? Tag.TRUE : Tag.FALSE);
  else if (typeof value === "number") {
    writer.u8(Tag.NUMBER);
    writer.f64(value + 0); // -0 is 0
  } else if (typeof value === "bigint") {
    writer.u8(Tag.BIGINT);
    writer.text(value.toString(16));
  } else if (typeof value === "string") {
    writer.u8(Tag.STRING);
    writer.text(value);
  } else if (isTyped(value)) {
    encodeTyped(writer, value);
  } else if (Array.isArray(value)) {
    writer.u8(Tag.ARRAY);
    writer.u32(value.length);
    for (const item of value) encode(writer, item);
  } else {
    const keys = Object.keys(value).sort();
    writer.u8(Tag.RECORD);
    writer.u32(keys.length);
    for (const key of keys) {
      writer.text(key);
      encode(writer, value[key]);
    }
  }
}

function encodeTyped(writer: Writer, value: Typed): void {
  writer.u8(Tag.TYPED);
  writer.u8(TYPED.findIndex((type) => value instanceof type));
  writer.u32(value.length);
  writer.bytes(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
}

/**
 * Reads what {@link encodeState} wrote.
 *
 * @throws StateError if the bytes are not such a form.
 */
export function decodeState(bytes: Uint8Array): StateValue {
  const reader = new Reader(bytes);
  const value = decode(reader, 0);
  if (reader.rest !== 0) throw new StateError(`${reader.rest} bytes left over after the state`);
  return value;
}

/** Reads from a byte buffer, never beyond its end. */
class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get rest(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#bytes[this.#take(1)];
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  f64(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }

  bytes(count: number): Uint8Array {
    const at = this.#take(count);
    return this.#bytes.slice(at, at + count);
  }

  text(): string {
    return new TextDecoder().decode(this.bytes(this.u32()));
  }

  #take(count: number): number {
    if (count > this.rest) {
      throw new StateError(`the state ends after ${this.#bytes.length} bytes, in the middle of a value`);
    }
    this.#at += count;
    return this.#at - count;
  }
}

/** Deeper than any state nests; keeps damaged input from exhausting the stack. */
const MAX_DEPTH = 64;

function decode(reader: Reader, depth: number): StateValue {
  if (depth > MAX_DEPTH) throw new StateError("the state is nested too deeply");
  const tag = reader.u8();
  switch (tag) {
    case Tag.NULL:
      return null;
    case Tag.FALSE:
      return false;
    case Tag.TRUE:
      return true;
    case Tag.NUMBER:
      return reader.f64();
    case Tag.BIGINT:
      return decodeBigint(reader.text());
    case Tag.STRING:
      return reader.text();
    case Tag.ARRAY: {
      const items: StateValue[] = [];
      for (let count = reader.u32(); count > 0; count--) items.push(decode(reader, depth + 1));
      return items;
    }
    case Tag.RECORD: {
      const entries: [string, StateValue][] = [];
      for (let count = reader.u32(); count > 0; count--) entries.push([reader.text(), decode(reader, depth + 1)]);
      return Object.fromEntries(entries);
    }
    case Tag.TYPED: {
      const type = TYPED[reader.u8()];
      if (type === undefined) throw new StateError("unknown kind of array in the state");
      const bytes = reader.bytes(reader.u32() * type.BYTES_PER_ELEMENT);
      return new type(bytes.buffer as ArrayBuffer);
    }
    default:
      throw new StateError(`unknown kind of value ${tag} in the state`);
  }
}

function decodeBigint(text: string): bigint {
  const match = /^(-?)([0-9a-f]+)$/.exec(text);
  if (match === null) throw new StateError("damaged integer in the state");
  const magnitude = BigInt(`0x${match[2]}`);
  return match[1] === "" ? magnitude : -magnitude;
}
