/** Code that changes its own constants and opcodes: every tier sees every change with the next instruction. */
import { assertEquals } from "@std/assert";
import { Random } from "../../scripts/lib/random.ts";
import type { CpuOptions } from "./options.ts";
import { R } from "./state.ts";
import { testBoard } from "./test_board.ts";

const START = 0x1000, TABLE = 0x2_0000, OPCODES = 0x2_8000, ROUNDS = 250;

/** Little-endian bytes of a 32-bit number. */
function dword(value: number): number[] {
  return [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24];
}

/** Operations EAX, imm32 that may take each other's place. */
const OPERATIONS = [0x05, /* add */ 0x35, /* xor */ 0x2d, /* sub */ 0x0d /* or */];

/**
 * A loop of instructions with constants; ESI is a random number that is another one in each round, EBX and EDI serve its writes to
 * bytes of instructions before and behind them, now and then or all the time.
 */
function program(random: Random): number[] {
  const code: number[] = [0xb9, ...dword(ROUNDS)], loop = code.length, constants: number[] = [], opcodes: number[] = [];
  const writes: { at: number; isOpcode: boolean }[] = [];
  const constant = (bytes: number) => {
    for (let i = 0; i < bytes; i++) constants.push(code.length + i);
    code.push(...random.bytes(bytes));
  };
  /** An instruction with an immediate value of `bytes` bytes. */
  const immediate = (bytes: number, ...opcode: number[]) => () => {
    code.push(...opcode);
    constant(bytes);
  };
  /** One that accesses the table, of whose address only the lowest byte changes, with such a value. */
  const inTable = (bytes: number, ...opcode: number[]) => () => {
    code.push(...opcode);
    constants.push(code.length);
    code.push(...dword(TABLE));
    constant(bytes);
  };
  const operation = () => {
    opcodes.push(code.length);
    code.push(random.pick(OPERATIONS));
    constant(4);
  };
  const write = () => {
    const seldom = !random.oneIn(3);
    // test esi, mask; jnz behind the write
    if (seldom) code.push(0xf7, 0xc6, ...dword(0x3f << random.below(20)), 0x75, 0);
    const jump = code.length, isOpcode = random.oneIn(4);
    // mov ebx, esi; shr ebx, n
    code.push(0x89, 0xf3, 0xc1, 0xeb, random.below(24));
    // and ebx, 3; mov bl, [OPCODES + ebx]; mov [..], bl
    if (isOpcode) code.push(0x83, 0xe3, 3, 0x8a, 0x9b, ...dword(OPCODES));
    code.push(0x88, 0x1d);
    writes.push({ at: code.length, isOpcode });
    code.push(0, 0, 0, 0);
    if (seldom) code[jump - 1] = code.length - jump;
  };
  const others = [
    // add edx, imm8; add ebp, imm32; mov ax, imm16; imul edx, ebp, imm32; test eax, imm32; shl edx, imm8
    immediate(1, 0x83, 0xc2),
    immediate(4, 0x81, 0xc5),
    immediate(2, 0x66, 0xb8),
    immediate(4, 0x69, 0xd5),
    immediate(4, 0xa9),
    immediate(1, 0xc1, 0xe2),
    // setg dl; lea ebp, [ebp + edx + n]; push imm32 and pop edx
    immediate(0, 0x0f, 0x9f, 0xc2),
    immediate(1, 0x8d, 0x6c, 0x15),
    () => {
      immediate(4, 0x68)();
      code.push(0x5a);
    },
    // add eax, [..]; add [..], ebp; mov al, [..]; xor edx, [.. + ecx * 4]; mov dword [..], imm32; add byte [..], imm8
    inTable(0, 0x03, 0x05),
    inTable(0, 0x01, 0x2d),
    inTable(0, 0xa0),
    inTable(0, 0x33, 0x14, 0x8d),
    inTable(4, 0xc7, 0x05),
    inTable(1, 0x80, 0x05),
  ];
  for (let i = 0; i < 24; i++) {
    random.pick(others)();
    if (i % 3 === 0) operation();
    if (i % 2 === 0) write();
  }
  // imul esi, esi, 1664525; add esi, 1013904223; dec ecx; jnz loop; hlt
  code.push(0x69, 0xf6, ...dword(1664525), 0x81, 0xc6, ...dword(1013904223), 0x49);
  code.push(0x0f, 0x85, ...dword(loop - code.length - 6), 0xf4);
  for (const { at, isOpcode } of writes) {
    const target = START + random.pick(isOpcode ? opcodes : constants);
    code.splice(at, 4, ...dword(target));
  }
  return code;
}

/** Runs it; returns the registers, the code and the table at its end. */
function run(code: readonly number[], options: CpuOptions, slice: number): string {
  const { cpu, memory, load } = testBoard(options);
  load(START, ...code);
  load(OPCODES, ...OPERATIONS);
  cpu.r.set32(R.SI, 12345);
  while (cpu.run(slice) === "budget");
  const registers = [R.AX, R.BX, R.CX, R.DX, R.SP, R.BP, R.SI, R.DI].map((register) => cpu.r.get32(register));
  const bytes = new Uint8Array(code.length), table = new Uint8Array(0x1000);
  memory.read(START, bytes);
  memory.read(TABLE, table);
  return [cpu.instructions, registers, bytes, table].join(";");
}

const WAYS: readonly [CpuOptions, number][] = [
  [{ tier: "interpreter" }, 77],
  [{ tier: "single" }, 1e6],
  [{ tier: "regions" }, 1e6],
  [{ tier: "regions" }, 1009],
  [{ tier: "auto", stress: { compileSeed: 1 } }, 1e6],
  [{ tier: "auto", stress: { compileSeed: 2 } }, 211],
];

Deno.test("random code that rewrites its constants and opcodes does the same in every tier", () => {
  for (let seed = 1; seed <= 4; seed++) {
    const code = program(new Random(seed)), expected = run(code, { tier: "interpreter" }, 1e6);
    for (const [options, slice] of WAYS) {
      assertEquals(run(code, options, slice), expected, `${seed} ${JSON.stringify(options)}`);
    }
  }
});
