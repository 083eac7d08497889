/** Splits the large arrays of a plain value into pages, and puts them together again. */
import type { StateValue } from "../machine/types.ts";

/** Bytes in a page. Smaller arrays stay where they are. */
export const PAGE = 4096;

const TYPES = { Uint8Array, Uint16Array, Uint32Array, Int32Array, BigUint64Array } as const;
type TypeName = keyof typeof TYPES;
type TypedArray = Extract<StateValue, ArrayBufferView>;
type StateRecord = { [key: string]: StateValue };

/** A large array that was taken out of a value. */
export type PagedArray = {
  /** Keys that lead to it from the root; array indices as decimal numbers. */
  path: string[];
  /** Name of the array's class. */
  type: string;
  /** Length in bytes. */
  bytes: number;
  /** For each page of it the page's number in the snapshot plus 1, or 0 for a page of zeros. */
  pages: Uint32Array;
};

/** Numbers a page by its contents. */
export type PageNumbering = (page: Uint8Array) => number;

/**
 * A copy of `value` in which null stands for every array of at least one page. The arrays are added to `arrays`, their
 * pages numbered by `number`; pages of zeros are not numbered. Small arrays are shared with `value`.
 */
export function splitPages(
  value: StateValue,
  arrays: PagedArray[],
  number: PageNumbering,
  path: string[] = [],
): StateValue {
  if (typeof value !== "object" || value === null) return value;
  if (ArrayBuffer.isView(value)) {
    if (value.byteLength < PAGE) return value;
    arrays.push(split(value, path, number));
    return null;
  }
  if (Array.isArray(value)) return value.map((item, i) => splitPages(item, arrays, number, [...path, String(i)]));
  return Object.fromEntries(
    Object.entries(value).map(([key, field]) => [key, splitPages(field, arrays, number, [...path, key])]),
  );
}

function split(array: TypedArray, path: string[], number: PageNumbering): PagedArray {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  const pages = new Uint32Array(Math.ceil(bytes.length / PAGE));
  for (let i = 0; i < pages.length; i++) {
    let page = bytes.subarray(i * PAGE, (i + 1) * PAGE);
    if (isZero(page)) continue;
    if (page.length < PAGE) {
      const whole = new Uint8Array(PAGE);
      whole.set(page);
      page = whole;
    }
    pages[i] = number(page) + 1;
  }
  return { path, type: array.constructor.name, bytes: bytes.length, pages };
}

function isZero(page: Uint8Array): boolean {
  for (let i = 0; i < page.length; i++) if (page[i] !== 0) return false;
  return true;
}

/** Makes the array that `paged` describes; `page` returns the contents of a page by its number. Null if it makes no sense. */
export function joinPages(paged: PagedArray, page: (number: number) => Uint8Array | undefined): TypedArray | null {
  if (!Object.hasOwn(TYPES, paged.type)) return null;
  const type = TYPES[paged.type as TypeName];
  const bytes = new Uint8Array(paged.bytes);
  for (let i = 0; i < paged.pages.length; i++) {
    if (paged.pages[i] === 0) continue;
    const contents = page(paged.pages[i] - 1);
    if (contents === undefined) return null;
    bytes.set(contents.subarray(0, Math.min(PAGE, bytes.length - i * PAGE)), i * PAGE);
  }
  return new type(bytes.buffer);
}

/** Checks the form of a description that came from outside. */
export function isPagedArray(value: StateValue): value is PagedArray {
  if (typeof value !== "object" || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) return false;
  const { path, type, bytes, pages } = value;
  return Array.isArray(path) && path.every((key) => typeof key === "string") &&
    typeof type === "string" && Object.hasOwn(TYPES, type) && pages instanceof Uint32Array &&
    typeof bytes === "number" && Number.isSafeInteger(bytes) &&
    bytes % TYPES[type as TypeName].BYTES_PER_ELEMENT === 0 &&
    Math.ceil(bytes / PAGE) === pages.length;
}

/** Puts `array` into `root` at `path`, where null must stand for it; returns the new root, or undefined if it does not. */
export function putBack(root: StateValue, path: readonly string[], array: TypedArray): StateValue | undefined {
  if (path.length === 0) return root === null ? array : undefined;
  let place: StateValue = root;
  for (const key of path.slice(0, -1)) {
    const holder = holderOf(place, key);
    if (holder === undefined) return undefined;
    place = holder[key];
  }
  const last = path[path.length - 1], holder = holderOf(place, last);
  if (holder === undefined || holder[last] !== null) return undefined;
  holder[last] = array;
  return root;
}

/** `value` as a record (arrays too) if it has an own field `key`. */
function holderOf(value: StateValue, key: string): StateRecord | undefined {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return undefined;
  if (Array.isArray(value) && !/^\d+$/.test(key)) return undefined;
  return Object.hasOwn(value, key) ? value as StateRecord : undefined;
}
