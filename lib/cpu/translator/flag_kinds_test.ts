/** Flags after multiplications: regions compute from the product what the interpreter keeps. */
import { assertEquals } from "@std/assert";
import { R, S } from "../state.ts";
import { testBoard } from "../test_board.ts";

const CODE = 0x10000, RESULTS = 0x20000;
const OPERANDS = [0, 1, -1, 0xb505, 0x10000, 0x7fff_ffff, -0x8000_0000];

/** ESI := EAX × EDX, all 16 conditions, PUSHF, and ADC behind another product. */
function program(jumps: boolean): Uint8Array {
  const code = [0x89, 0xc6, 0x0f, 0xaf, 0xf2];
  // A jump to what follows it: the flags are read in another block.
  if (jumps) code.push(0x85, 0xc9, 0x0f, 0xaf, 0xf0, 0x89, 0xc6, 0x0f, 0xaf, 0xf2, 0xe3, 0x00);
  for (let condition = 0; condition < 16; condition++) code.push(0x0f, 0x90 | condition, 0x47, condition);
  code.push(0x9c, 0x8f, 0x47, 0x10, 0x0f, 0xaf, 0xf6, 0x11, 0xf3, 0x9c, 0x8f, 0x47, 0x14, 0xeb, 0xfe);
  return new Uint8Array(code);
}

function run(tier: "interpreter" | "regions", jumps: boolean, a: number, b: number): string {
  const { cpu, memory } = testBoard({ tier }), { r } = cpu, out = new Uint8Array(32);
  memory.write(CODE, program(jumps));
  r.set32(R.AX, a);
  r.set32(R.DX, b);
  r.set32(R.DI, RESULTS);
  r.ip = CODE;
  cpu.run(60);
  memory.read(RESULTS, out);
  return `${out} ${r.i32(S.GPR + 8 * R.SI)} ${r.i32(S.GPR + 8 * R.BX)}`;
}

Deno.test("FlagMath: conditions, PUSHF and ADC behind a signed product are the interpreter's", () => {
  for (const jumps of [false, true]) {
    for (const a of OPERANDS) {
      for (const b of OPERANDS) {
        assertEquals(run("regions", jumps, a, b), run("interpreter", jumps, a, b), `${a} * ${b}`);
      }
    }
  }
});
