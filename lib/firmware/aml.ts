/** A small encoder for ACPI Machine Language: each function returns the bytes of one term. Source: ACPI specification 5.0, chapter 20. */

/** Encoded AML. */
export type Aml = readonly number[];

/** Terms one after the other. Spread arguments would be copied number by number, and tables are nested deeply. */
export function sequence(...terms: readonly Aml[]): Aml {
  return new Array<number>().concat(...terms);
}

/** `opcode`, then a nibble-packed package length that counts itself and all of `body`. */
function sized(opcode: Aml, ...body: readonly Aml[]): Aml {
  const content = sequence(...body), { length } = content;
  if (length + 1 <= 0x3f) return sequence(opcode, [length + 1], content);
  let more = 1;
  while (length + 1 + more >= 2 ** (4 + 8 * more)) more++;
  if (more > 3) throw new RangeError("an AML package is too long");
  const total = length + 1 + more;
  return sequence(opcode, [more << 6 | total & 0x0f], littleEndian(total >>> 4, more), content);
}

/** The low `count` bytes of `value`. */
function littleEndian(value: number, count: number): number[] {
  const bytes: number[] = [];
  for (let i = 0; i < count; i++) bytes.push(Math.floor(value / 2 ** (8 * i)) % 256);
  return bytes;
}

const UNDERSCORE = 0x5f;

/** A name: `_SB_`, `\_SB.PCI0`, segments of up to four characters. */
export function path(name: string): Aml {
  const rooted = name.startsWith("\\");
  const segments = (rooted ? name.slice(1) : name).split(".").filter((segment) => segment !== "");
  const bytes = rooted ? [0x5c] : [];
  if (segments.length === 0) bytes.push(0x00);
  else if (segments.length === 2) bytes.push(0x2e);
  else if (segments.length > 2) bytes.push(0x2f, segments.length);
  for (const segment of segments) {
    for (let i = 0; i < 4; i++) bytes.push(i < segment.length ? segment.charCodeAt(i) : UNDERSCORE);
  }
  return bytes;
}

/** An integer in its shortest form. */
export function integer(value: number): Aml {
  if (value === 0) return [0x00];
  if (value === 1) return [0x01];
  if (value <= 0xff) return [0x0a, value];
  if (value <= 0xffff) return [0x0b, value & 0xff, value >> 8];
  if (value <= 0xffffffff) return sequence([0x0c], littleEndian(value, 4));
  return sequence([0x0e], littleEndian(value, 8));
}

/** Name (`name`, `value`). */
export function named(name: string, value: Aml): Aml {
  return sequence([0x08], path(name), value);
}

/** Scope (`name`) { … }. */
export function scope(name: string, ...terms: Aml[]): Aml {
  return sized([0x10], path(name), ...terms);
}

/** Device (`name`) { … }. */
export function device(name: string, ...terms: Aml[]): Aml {
  return sized([0x5b, 0x82], path(name), ...terms);
}

/** Method (`name`, `argumentCount`) { … }. */
export function method(name: string, argumentCount: number, ...terms: Aml[]): Aml {
  return sized([0x14], path(name), [argumentCount], ...terms);
}

/** Package () { … }. */
export function packageOf(...elements: Aml[]): Aml {
  return sized([0x12], [elements.length], ...elements);
}

/** Buffer () { … }. */
export function buffer(bytes: Aml): Aml {
  return sized([0x11], integer(bytes.length), bytes);
}

/** OperationRegion (`name`, PCI_Config, `offset`, `length`). */
export function pciConfigRegion(name: string, offset: number, length: number): Aml {
  return [0x5b, 0x80, ...path(name), 0x02, ...integer(offset), ...integer(length)];
}

/** Field (`region`, ByteAcc, NoLock, Preserve) { `names`, 8 bits each }. */
export function byteFields(region: string, names: readonly string[]): Aml {
  return sized([0x5b, 0x81], path(region), [0x01], ...names.map((name) => sequence(path(name), [8])));
}

/** Return (`value`). */
export function returns(value: Aml): Aml {
  return [0xa4, ...value];
}

/** Store (`value`, `target`). */
export function store(value: Aml, target: Aml): Aml {
  return [0x70, ...value, ...target];
}

/** If (`condition`) { … }. */
export function when(condition: Aml, ...terms: Aml[]): Aml {
  return sized([0xa0], condition, ...terms);
}

/** And (`a`, `b`). */
export function and(a: Aml, b: Aml): Aml {
  return [0x7b, ...a, ...b, 0x00];
}

/** Or (`a`, `b`, `target`). */
export function or(a: Aml, b: Aml, target: Aml): Aml {
  return [0x7d, ...a, ...b, ...target];
}

/** LNot (`value`). */
export function not(value: Aml): Aml {
  return [0x92, ...value];
}

/** ShiftLeft (`value`, `count`). */
export function shiftLeft(value: Aml, count: Aml): Aml {
  return [0x79, ...value, ...count, 0x00];
}

/** FindSetRightBit (`value`, `target`). */
export function findSetRightBit(value: Aml, target: Aml): Aml {
  return [0x82, ...value, ...target];
}

/** Decrement (`target`). */
export function decrement(target: Aml): Aml {
  return [0x76, ...target];
}

/** CreateWordField (`source`, `byteIndex`, `name`). */
export function createWordField(source: Aml, byteIndex: number, name: string): Aml {
  return [0x8b, ...source, ...integer(byteIndex), ...path(name)];
}

/** Local0 and Arg0. */
export const LOCAL0: Aml = [0x60];
export const ARG0: Aml = [0x68];

/** A compressed EISA identifier such as `PNP0A03`. */
export function eisaId(id: string): Aml {
  const letter = (i: number) => id.charCodeAt(i) - 0x40;
  const digits = parseInt(id.slice(3), 16);
  return [
    0x0c,
    letter(0) << 2 | letter(1) >> 3,
    (letter(1) & 7) << 5 | letter(2),
    digits >> 8,
    digits & 0xff,
  ];
}

// ---- resource descriptors (ACPI specification 5.0, section 6.4)

const word = (value: number): Aml => [value & 0xff, value >> 8 & 0xff];
const dword = (value: number): Aml => [...word(value & 0xffff), ...word(value >>> 16)];

/** IO: ports `first`–`first + length - 1`, 16-bit decoded. */
export function ioPorts(first: number, length: number): Aml {
  return [0x47, 0x01, ...word(first), ...word(first), 0x01, length];
}

/** IRQNoFlags: one edge-triggered interrupt. */
export function irq(number: number): Aml {
  return [0x22, ...word(1 << number)];
}

/** IRQ (Level, ActiveLow, Shared): one of the interrupts in the mask. */
export function sharedIrqs(mask: number): Aml {
  return [0x23, ...word(mask), 0x18];
}

/** DMA (Compatibility, NotBusMaster, Transfer8). */
export function dma(channel: number): Aml {
  return [0x2a, 1 << channel, 0x00];
}

/** A bus number, I/O or memory range that a bridge produces. */
export function busNumbers(first: number, last: number): Aml {
  return [0x88, ...word(13), 0x02, 0x0c, 0x00, ...[0, first, last, 0, last - first + 1].flatMap(word)];
}

/** WordIO (ResourceProducer). */
export function ioRange(first: number, last: number): Aml {
  return [0x88, ...word(13), 0x01, 0x0c, 0x03, ...[0, first, last, 0, last - first + 1].flatMap(word)];
}

/** DWordMemory (ResourceProducer, ReadWrite); cacheable or not. */
export function memoryRange(first: number, last: number, cacheable: boolean): Aml {
  const flags = cacheable ? 0x03 : 0x01;
  return [0x87, ...word(23), 0x00, 0x0c, flags, ...[0, first, last, 0, last - first + 1].flatMap(dword)];
}

/** ResourceTemplate () { … } with its end tag. */
export function resources(...descriptors: Aml[]): Aml {
  return buffer(sequence(...descriptors, [0x79, 0x00]));
}
