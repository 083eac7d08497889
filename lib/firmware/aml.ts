/** A small encoder for ACPI Machine Language: each function returns the bytes of one term. Source: ACPI specification 5.0, chapter 20. */

/** Encoded AML, a character for each byte: tables are nested deeply, and strings are joined without being copied. */
export type Aml = string;

/** The bytes of a table with these terms. */
export function amlBytes(...terms: Aml[]): Uint8Array {
  const table = terms.join(""), bytes = new Uint8Array(table.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = table.charCodeAt(i);
  return bytes;
}

/** Bytes as they are. */
export function raw(...bytes: readonly number[]): Aml {
  return String.fromCharCode(...bytes);
}

/** `opcode`, then a nibble-packed package length that counts itself and `body`. */
function sized(opcode: Aml, body: Aml): Aml {
  const { length } = body;
  if (length + 1 <= 0x3f) return opcode + raw(length + 1) + body;
  let more = 1;
  while (length + 1 + more >= 2 ** (4 + 8 * more)) more++;
  if (more > 3) throw new RangeError("an AML package is too long");
  const total = length + 1 + more;
  return opcode + raw(more << 6 | total & 0x0f) + littleEndian(total >>> 4, more) + body;
}

/** The low `count` bytes of `value`. */
function littleEndian(value: number, count: number): Aml {
  let bytes = "";
  for (let i = 0; i < count; i++) bytes += raw(Math.floor(value / 2 ** (8 * i)) % 256);
  return bytes;
}

/** A name: `_SB_`, `\_SB.PCI0`, segments of up to four characters. */
export function path(name: string): Aml {
  const rooted = name.startsWith("\\");
  const segments = (rooted ? name.slice(1) : name).split(".").filter((segment) => segment !== "");
  const { length } = segments;
  const prefix = length === 0 ? raw(0x00) : length === 1 ? "" : length === 2 ? raw(0x2e) : raw(0x2f, length);
  return (rooted ? "\\" : "") + prefix + segments.map((segment) => segment.padEnd(4, "_")).join("");
}

/** An integer in its shortest form. */
export function integer(value: number): Aml {
  if (value === 0 || value === 1) return raw(value);
  if (value <= 0xff) return raw(0x0a, value);
  if (value <= 0xffff) return raw(0x0b, value & 0xff, value >> 8);
  if (value <= 0xffffffff) return raw(0x0c) + littleEndian(value, 4);
  return raw(0x0e) + littleEndian(value, 8);
}

/** Name (`name`, `value`). */
export function named(name: string, value: Aml): Aml {
  return raw(0x08) + path(name) + value;
}

/** Scope (`name`) { … }. */
export function scope(name: string, ...terms: Aml[]): Aml {
  return sized(raw(0x10), path(name) + terms.join(""));
}

/** Device (`name`) { … }. */
export function device(name: string, ...terms: Aml[]): Aml {
  return sized(raw(0x5b, 0x82), path(name) + terms.join(""));
}

/** Method (`name`, `argumentCount`) { … }. */
export function method(name: string, argumentCount: number, ...terms: Aml[]): Aml {
  return sized(raw(0x14), path(name) + raw(argumentCount) + terms.join(""));
}

/** Package () { … }. */
export function packageOf(...elements: Aml[]): Aml {
  return sized(raw(0x12), raw(elements.length) + elements.join(""));
}

/** Buffer () { … }. */
export function buffer(bytes: Aml): Aml {
  return sized(raw(0x11), integer(bytes.length) + bytes);
}

/** OperationRegion (`name`, PCI_Config, `offset`, `length`). */
export function pciConfigRegion(name: string, offset: number, length: number): Aml {
  return raw(0x5b, 0x80) + path(name) + raw(0x02) + integer(offset) + integer(length);
}

/** Field (`region`, ByteAcc, NoLock, Preserve) { `names`, 8 bits each }. */
export function byteFields(region: string, names: readonly string[]): Aml {
  const fields = names.map((name) => path(name) + raw(8));
  return sized(raw(0x5b, 0x81), path(region) + raw(0x01) + fields.join(""));
}

/** Return (`value`). */
export function returns(value: Aml): Aml {
  return raw(0xa4) + value;
}

/** Store (`value`, `target`). */
export function store(value: Aml, target: Aml): Aml {
  return raw(0x70) + value + target;
}

/** If (`condition`) { … }. */
export function when(condition: Aml, ...terms: Aml[]): Aml {
  return sized(raw(0xa0), condition + terms.join(""));
}

/** And (`a`, `b`). */
export function and(a: Aml, b: Aml): Aml {
  return raw(0x7b) + a + b + raw(0x00);
}

/** Or (`a`, `b`, `target`). */
export function or(a: Aml, b: Aml, target: Aml): Aml {
  return raw(0x7d) + a + b + target;
}

/** LNot (`value`). */
export function not(value: Aml): Aml {
  return raw(0x92) + value;
}

/** ShiftLeft (`value`, `count`). */
export function shiftLeft(value: Aml, count: Aml): Aml {
  return raw(0x79) + value + count + raw(0x00);
}

/** FindSetRightBit (`value`, `target`). */
export function findSetRightBit(value: Aml, target: Aml): Aml {
  return raw(0x82) + value + target;
}

/** Decrement (`target`). */
export function decrement(target: Aml): Aml {
  return raw(0x76) + target;
}

/** CreateWordField (`source`, `byteIndex`, `name`). */
export function createWordField(source: Aml, byteIndex: number, name: string): Aml {
  return raw(0x8b) + source + integer(byteIndex) + path(name);
}

/** Local0 and Arg0. */
export const LOCAL0: Aml = raw(0x60);
export const ARG0: Aml = raw(0x68);

/** A compressed EISA identifier such as `PNP0A03`. */
export function eisaId(id: string): Aml {
  const letter = (i: number) => id.charCodeAt(i) - 0x40;
  const digits = parseInt(id.slice(3), 16);
  return raw(
    0x0c,
    letter(0) << 2 | letter(1) >> 3,
    (letter(1) & 7) << 5 | letter(2),
    digits >> 8,
    digits & 0xff,
  );
}

// ---- resource descriptors (ACPI specification 5.0, section 6.4)

const word = (value: number): Aml => raw(value & 0xff, value >> 8 & 0xff);
const dword = (value: number): Aml => word(value & 0xffff) + word(value >>> 16);

/** IO: ports `first`–`first + length - 1`, 16-bit decoded. */
export function ioPorts(first: number, length: number): Aml {
  return raw(0x47, 0x01) + word(first) + word(first) + raw(0x01, length);
}

/** IRQNoFlags: one edge-triggered interrupt. */
export function irq(number: number): Aml {
  return raw(0x22) + word(1 << number);
}

/** IRQ (Level, ActiveLow, Shared): one of the interrupts in the mask. */
export function sharedIrqs(mask: number): Aml {
  return raw(0x23) + word(mask) + raw(0x18);
}

/** DMA (Compatibility, NotBusMaster, Transfer8). */
export function dma(channel: number): Aml {
  return raw(0x2a, 1 << channel, 0x00);
}

/** A range that a bridge produces: granularity, first, last, translation and length, each encoded by `part`. */
function range(first: number, last: number, part: (value: number) => Aml): Aml {
  return [0, first, last, 0, last - first + 1].map(part).join("");
}

/** A bus number, I/O or memory range that a bridge produces. */
export function busNumbers(first: number, last: number): Aml {
  return raw(0x88) + word(13) + raw(0x02, 0x0c, 0x00) + range(first, last, word);
}

/** WordIO (ResourceProducer). */
export function ioRange(first: number, last: number): Aml {
  return raw(0x88) + word(13) + raw(0x01, 0x0c, 0x03) + range(first, last, word);
}

/** DWordMemory (ResourceProducer, ReadWrite); cacheable or not. */
export function memoryRange(first: number, last: number, cacheable: boolean): Aml {
  return raw(0x87) + word(23) + raw(0x00, 0x0c, cacheable ? 0x03 : 0x01) + range(first, last, dword);
}

/** Ends a list of resource descriptors; without a checksum. */
export const END_TAG: Aml = raw(0x79, 0x00);

/** ResourceTemplate () { … } with its end tag. */
export function resources(...descriptors: Aml[]): Aml {
  return buffer(descriptors.join("") + END_TAG);
}
