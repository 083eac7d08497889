import { assert, assertEquals } from "@std/assert";
import { Random } from "../../../scripts/lib/random.ts";
import { decode, type Instruction, newInstruction } from "../decode/mod.ts";
import { codeMode, ModeBit, modeKey } from "../mode.ts";
import { FormMap } from "./forms.ts";
import { REC } from "./layout.ts";
import { RecordPatterns } from "./record_patterns.ts";
import { writeRecord } from "./records.ts";

const AT = 64, NEXT = 77, POSITION = 3;
const KEYS = ([[16, 16], [32, 32], [64, 64]] as const).map(([code, stack]) => modeKey(code, stack, true, false));
/** Bytes with which much code begins: prefixes, REX, two-byte opcodes, and instructions of all kinds. */
const FIRST = [
  0x66,
  0x67,
  0xf0,
  0xf2,
  0xf3,
  0x2e,
  0x65,
  0x48,
  0x44,
  0x0f,
  0x0f,
  0x8b,
  0x89,
  0x83,
  0x81,
  0xc7,
  0xe8,
  0x75,
  0xeb,
  0xd9,
];

/** Patterns, and what they must give. */
class Subject {
  readonly memory = new WebAssembly.Memory({ initial: 1 });
  readonly patterns = new RecordPatterns(decode, this.memory);
  readonly #slots = new FormMap<number>();
  readonly #expected = new DataView(new ArrayBuffer(REC.SIZE));
  #forms = 0;

  /** The instruction at an offset, with its slot; null if there is none. */
  decode(bytes: Uint8Array, offset: number, key: number): { instruction: Instruction; slot: number } | null {
    const mode = codeMode(key), instruction = newInstruction();
    if (decode(bytes, offset, bytes.length, mode.code, instruction) !== "ok") return null;
    let slot = this.#slots.get(instruction, mode);
    if (slot === undefined) this.#slots.set(instruction, mode, slot = this.#forms++);
    return { instruction, slot };
  }

  /** Remembers the instruction at an offset. */
  add(bytes: Uint8Array, offset: number, key: number): void {
    const found = this.decode(bytes, offset, key);
    if (found) this.patterns.add(key, codeMode(key), bytes, offset, found.instruction, found.slot, found.slot & 3);
  }

  /** True if the instruction at an offset has a pattern: then it must give what decoding does. */
  check(bytes: Uint8Array, offset: number, key: number): boolean {
    const { patterns } = this, pattern = patterns.find(key, bytes, offset, bytes.length);
    if (pattern < 0) return false;
    const found = this.decode(bytes, offset, key), shown = `${bytes.subarray(offset).toHex()} in mode ${key}`;
    assert(found !== null, shown);
    const { instruction, slot } = found;
    patterns.write(pattern, bytes, offset, AT, NEXT, POSITION);
    writeRecord(this.#expected, 0, slot, instruction, NEXT, POSITION);
    const record = new Uint8Array(this.memory.buffer, AT, REC.SIZE);
    assertEquals(record.toHex(), new Uint8Array(this.#expected.buffer).toHex(), shown);
    assertEquals(
      [patterns.length(pattern), patterns.slot(pattern), patterns.flags(pattern)],
      [instruction.length, slot, slot & 3],
      shown,
    );
    return true;
  }
}

Deno.test("RecordPatterns: an instruction has the record that decoding gives it, whatever its constants are", () => {
  const random = new Random(1), subject = new Subject();
  let found = 0;
  for (let i = 0; i < 40_000; i++) {
    const key = KEYS[i % KEYS.length], bytes = new Uint8Array(15).map(() => random.below(256));
    if (random.below(2) === 0) bytes[0] = FIRST[random.below(FIRST.length)];
    if (!subject.check(bytes, 0, key)) subject.add(bytes, 0, key);
    for (let other = 0; other < 2; other++) {
      for (let at = 1 + random.below(4); at < 15; at++) {
        bytes[at] = [0, 0x7f, 0x80, 0xff, random.below(256)][random.below(5)];
      }
      if (subject.check(bytes, 0, key)) found++;
    }
  }
  assert(found > 10_000, `${found} patterns were found`);
});

Deno.test("RecordPatterns: nothing is known of another mode, nor of instructions that are cut off", () => {
  const subject = new Subject(), [, flat32, flat64] = KEYS;
  const bytes = Uint8Array.fromHex("90c7431078563412");
  subject.add(bytes, 1, flat32);
  assertEquals(subject.check(bytes, 1, flat32), true, "mov dword [ebx + 16], 12345678h");
  assertEquals(subject.check(bytes, 1, flat32 | ModeBit.USER), true, "handlers do not depend on the privilege");
  assertEquals(subject.check(bytes, 1, flat64), false);
  for (let end = 1; end < 8; end++) assertEquals(subject.patterns.find(flat32, bytes, 1, end), -1, `up to ${end}`);
});

Deno.test("RecordPatterns: what has other constants than a record holds apart has no pattern", () => {
  const subject = new Subject(), [, flat32, flat64] = KEYS;
  const none: [string, number][] = [
    ["c8100001", flat32], // enter 16, 1
    ["9a785634120800", flat32], // call 8:12345678h
    ["48b8f0debc9a78563412", flat64], // mov rax, 123456789abcdef0h
    ["48a1f0debc9a78563412", flat64], // mov rax, [123456789abcdef0h]
    ["0f04", flat32], // undefined
  ];
  for (const [hex, key] of none) {
    const bytes = Uint8Array.fromHex(hex.padEnd(30, "0"));
    subject.add(bytes, 0, key);
    assertEquals(subject.check(bytes, 0, key), false, hex);
  }
});

Deno.test("RecordPatterns: endless prefixes do not take endless memory", () => {
  const subject = new Subject(), prefixes = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67];
  for (let i = 0; i < 8 ** 5; i++) {
    const bytes = new Uint8Array(15).fill(0x90);
    for (let digit = 0; digit < 5; digit++) bytes[digit] = prefixes[i >> (3 * digit) & 7];
    subject.add(bytes, 0, KEYS[1]);
    assertEquals(subject.check(bytes, 0, KEYS[1]), true);
  }
});
