/** Random x87 code in loops: regions, which keep the x87 unit in locals, leave what the interpreter leaves. */
import { assertEquals } from "@std/assert";
import { Random } from "../../../scripts/lib/random.ts";
import type { Tier } from "../options.ts";
import { CR0, CR4, S } from "../state.ts";
import { testBoard } from "../test_board.ts";

const CODE = 0x10000, DATA = 0x20000, DATA_BYTES = 256, CASES = 60;
const random = new Random(8087);

/** An opcode with an operand in the data, which EDI points to. */
function onMemory(opcode: number, digit: number): number[] {
  return [opcode, 0x47 | digit << 3, random.below(14) * 8];
}

/** Instructions by kind: loads, arithmetic, stores, moves in the stack, comparisons, control. */
const KINDS: readonly (() => number[])[] = [
  () => onMemory(random.pick([0xd9, 0xdb, 0xdd, 0xdd, 0xdd]), 0),
  () => [0xd9, random.pick([0xc0, 0xc1, 0xe8, 0xeb, 0xee])],
  () => [random.pick([0xd8, 0xdc]), 0xc0 | random.pick([0, 1, 4, 5, 6, 7]) << 3 | random.below(4)],
  () => [0xde, 0xc1 | random.pick([0, 1, 4, 5, 6, 7]) << 3 | random.below(3)],
  () => onMemory(random.pick([0xd8, 0xda, 0xdc, 0xde]), random.below(8)),
  () => onMemory(random.pick([0xd9, 0xdd]), random.pick([2, 3, 3])),
  () => onMemory(random.pick([0xdb, 0xdf]), random.pick([1, 2, 3])),
  () => [random.pick([0xd9, 0xdd]), 0xc8 | random.below(4) | random.pick([0, 0x10])],
  () => [0xd9, random.pick([0xe0, 0xe1, 0xe4, 0xe5, 0xf6, 0xf7, 0xfa, 0xfc])],
  () => [random.pick([0xdb, 0xdf]), random.pick([0xe8, 0xf0]) | random.below(4)],
  () => random.pick([[0xd8, 0xd1], [0xd8, 0xd9], [0xde, 0xd9], [0xda, 0xe9], [0xdf, 0xe0]]),
  () =>
    random.pick([onMemory(0xd9, 5), onMemory(0xd9, 7), onMemory(0xd9, 6), [0xdb, 0xe2], [0xdd, 0xc1], [0xda, 0xc1]]),
];

/** A loop of 40 rounds, run again and again. Most begin with an empty stack, so that its depth is known everywhere. */
function program(): Uint8Array {
  const code = [0xbf, 0, 0, 2, 0, 0xb9, 40, 0, 0, 0], start = code.length, jumps = random.oneIn(3);
  const relative = (to: number) => new Uint8Array(Int32Array.of(to - code.length - 4).buffer);
  if (!jumps) code.push(...random.pick([[0xdb, 0xe3], [0x0f, 0x77]]));
  for (let left = 3 + random.below(18); left > 0; left--) {
    const instruction = random.pick(KINDS)();
    if (jumps && random.oneIn(5)) code.push(0xf6, 0xc1, 1 << random.below(3), 0x74, instruction.length);
    code.push(...instruction);
    // ADDSD and its kind beside it.
    if (random.oneIn(6)) {
      code.push(0xf2, 0x0f, random.pick([0x58, 0x59, 0x5c, 0x5e]), 0xc0 | random.below(4) << 3 | random.below(4));
    }
  }
  code.push(0x49, 0x0f, 0x85);
  code.push(...relative(start));
  code.push(0xe9);
  code.push(...relative(0));
  return new Uint8Array(code);
}

function data(): Uint8Array {
  const bytes = new Uint8Array(DATA_BYTES), view = new DataView(bytes.buffer);
  for (let at = 0; at < DATA_BYTES; at += 8) {
    const usual = (random.below(2000) - 1000) / (1 + random.below(97)) * 2 ** (random.below(20) - 10);
    view.setFloat64(at, random.oneIn(6) ? random.pick([0, -0, Infinity, NaN, 5e-324, 1e308]) : usual, true);
    if (random.oneIn(4)) view.setUint32(at + 4, random.u32(), true);
  }
  return bytes;
}

/** All that `instructions` instructions leave. */
function run(tier: Tier, code: Uint8Array, bytes: Uint8Array, control: number, instructions: number): string[] {
  const { cpu, memory } = testBoard({ tier }), { r } = cpu, out = new Uint8Array(DATA_BYTES);
  memory.write(CODE, code);
  memory.write(DATA, bytes);
  r.setI32(S.CR0, CR0.PE | CR0.ET | CR0.NE);
  r.setI32(S.CR4, CR4.OSFXSR | CR4.OSXMMEXCPT);
  r.setI32(S.FCW, control);
  r.ip = CODE;
  cpu.modeChanged();
  for (let left = instructions; left > 0; left -= 997) cpu.run(Math.min(997, left));
  memory.read(DATA, out);
  const words = (from: number, to: number) =>
    Array.from({ length: (to - from) / 4 }, (_, i) => `${(from + 4 * i).toString(16)}: ${r.i32(from + 4 * i) >>> 0}`);
  return [`${r.ip}`, ...words(S.GPR, S.ZERO), ...words(S.X87, S.FDP + 8), ...words(S.XMM, S.XMM + 128), `${out}`];
}

Deno.test("X87Locals: random x87 code does the same in regions as in the interpreter", () => {
  for (let i = 0; i < CASES; i++) {
    const code = program(), bytes = data(), instructions = 1000 + random.below(1000);
    // Rounding and precision of all kinds; exceptions are masked, because nobody handles them.
    const control = random.below(3) > 0 ? 0x37f : 0x7f | random.pick([0, 2, 3]) << 8 | random.below(4) << 10;
    const expected = run("interpreter", code, bytes, control, instructions);
    assertEquals(run("regions", code, bytes, control, instructions), expected, `case ${i}: ${code}`);
  }
});
