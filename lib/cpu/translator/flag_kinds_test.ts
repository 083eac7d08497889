/** Flags after what regions keep operands and results of: regions compute from them what the interpreter keeps. */
import { assertEquals } from "@std/assert";
import { R, S } from "../state.ts";
import { type TestBoard, testBoard } from "../test_board.ts";

const CODE = 0x10000, RESULTS = 0x20000;
const OPERANDS = [0, 1, -1, 0xb505, 0x10000, 0x7fff_ffff, -0x8000_0000];

/** The instructions, all 16 conditions, PUSHF, and ADC behind the instructions once more. */
function program(instructions: readonly number[], jumps: boolean): Uint8Array {
  const code = [...instructions];
  // A jump to what follows it over other flags: the flags are read in another block.
  if (jumps) code.push(0x85, 0xc9, ...instructions, 0xe3, 0x05, 0x85, 0xe4, ...instructions.slice(-3));
  for (let condition = 0; condition < 16; condition++) code.push(0x0f, 0x90 | condition, 0x47, condition);
  code.push(0x9c, 0x8f, 0x47, 0x10, ...instructions, 0x11, 0xf3, 0x9c, 0x8f, 0x47, 0x14, 0xeb, 0xfe);
  return new Uint8Array(code);
}

/** Runs programs in both tiers. */
class Pair {
  readonly #boards = (["regions", "interpreter"] as const).map((tier) => testBoard({ tier }));
  #at = CODE;

  #run({ cpu, memory }: TestBoard, a: number, b: number): string {
    const { r } = cpu, out = new Uint8Array(32);
    r.set32(R.AX, a);
    r.set32(R.DX, b);
    r.set32(R.DI, RESULTS);
    r.ip = this.#at;
    cpu.run(100);
    memory.read(RESULTS, out);
    return `${out} ${r.i32(S.GPR + 8 * R.SI)} ${r.i32(S.GPR + 8 * R.BX)}`;
  }

  compare(name: string, instructions: readonly number[], operands: readonly (readonly [number, number])[]): void {
    for (const jumps of [false, true]) {
      this.#at += 0x100;
      for (const { memory } of this.#boards) memory.write(this.#at, program(instructions, jumps));
      for (const [a, b] of operands) {
        const [regions, interpreter] = this.#boards.map((board) => this.#run(board, a, b));
        assertEquals(regions, interpreter, `${name} of ${a} and ${b}`);
      }
    }
  }
}

Deno.test("FlagMath: flags behind a signed product are the interpreter's", () => {
  // mov esi, eax; imul esi, edx
  new Pair().compare(
    "product",
    [0x89, 0xc6, 0x0f, 0xaf, 0xf2],
    OPERANDS.flatMap((a) => OPERANDS.map((b) => [a, b] as const)),
  );
});

Deno.test("FlagMath: flags behind shifts and rotates are the interpreter's", () => {
  const operands = OPERANDS.map((a) => [a, a ^ 0x1234_5678] as const), pair = new Pair();
  for (const operation of [0, 1, 4, 5, 7]) {
    for (const opcode of [[0xc0], [0x66, 0xc1], [0xc1]]) {
      const shift = [...opcode, 0xc2 | operation << 3, 17];
      // add esi, eax; inc ecx; the shift of edx
      pair.compare(`shift ${operation}`, [0x01, 0xc6, 0x41, ...shift], operands);
      // The shift of edx, inc ecx, and a rotate of edx.
      pair.compare(`rotate after shift ${operation}`, [...shift, 0x41, 0xc1, 0xca, 3], operands);
    }
    // By CL: mov ecx, eax; add esi, edx; the shift of edx.
    pair.compare(`shift ${operation} by CL`, [0x89, 0xc1, 0x01, 0xd6, 0xd3, 0xc2 | operation << 3], operands);
  }
});
