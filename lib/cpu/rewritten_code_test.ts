/** Code that changes its own constants and opcodes: every tier sees every change with the next instruction. */
import { assertEquals } from "@std/assert";
import { Random } from "../../scripts/lib/random.ts";
import type { CpuOptions } from "./options.ts";
import { R } from "./state.ts";
import { dword, testBoard } from "./test_board.ts";

const START = 0x1000, FUNCTIONS = 0x2000, TABLE = 0x2_0000, OPCODES = 0x2_8000, ROUNDS = 250;

/** Operations EAX, imm32 that may take each other's place. */
const OPERATIONS = [0x05, /* add */ 0x35, /* xor */ 0x2d, /* sub */ 0x0d /* or */];

/** Code at an address, and where its constants and its operations lie. */
class Piece {
  readonly code: number[] = [];
  readonly constants: number[] = [];
  readonly operations: number[] = [];
  readonly #random: Random;
  readonly #at: number;

  constructor(random: Random, at: number) {
    this.#random = random;
    this.#at = at;
  }

  get end(): number {
    return this.#at + this.code.length;
  }

  /** An instruction with an immediate value of `bytes` bytes. */
  immediate(bytes: number, ...opcode: number[]): void {
    this.code.push(...opcode);
    for (let i = 0; i < bytes; i++) this.constants.push(this.end + i);
    this.code.push(...this.#random.bytes(bytes));
  }

  /** One that accesses the table, of whose address only the lowest byte changes, with such a value. */
  inTable(bytes: number, ...opcode: number[]): void {
    this.code.push(...opcode);
    this.constants.push(this.end);
    this.code.push(...dword(TABLE));
    this.immediate(bytes);
  }

  operation(): void {
    this.operations.push(this.end);
    this.immediate(4, this.#random.pick(OPERATIONS));
  }

  call(target: number): void {
    this.code.push(0xe8, ...dword(target - this.end - 5));
  }

  /** Any instruction but a write to code. */
  other(): void {
    const others = [
      // add edx, imm8; add ebp, imm32; mov ax, imm16; imul edx, ebp, imm32; test eax, imm32; shl edx, imm8; rol ebp, imm8
      () => this.immediate(1, 0x83, 0xc2),
      () => this.immediate(4, 0x81, 0xc5),
      () => this.immediate(2, 0x66, 0xb8),
      () => this.immediate(4, 0x69, 0xd5),
      () => this.immediate(4, 0xa9),
      () => this.immediate(1, 0xc1, 0xe2),
      () => this.immediate(1, 0xc1, 0xc5),
      // setg dl; lea ebp, [ebp + edx + n]; push imm32 and pop edx
      () => this.immediate(0, 0x0f, 0x9f, 0xc2),
      () => this.immediate(1, 0x8d, 0x6c, 0x15),
      () => {
        this.immediate(4, 0x68);
        this.code.push(0x5a);
      },
      // add eax, [..]; add [..], ebp; mov al, [..]; xor edx, [.. + ecx * 4]; mov dword [..], imm32; add byte [..], imm8
      () => this.inTable(0, 0x03, 0x05),
      () => this.inTable(0, 0x01, 0x2d),
      () => this.inTable(0, 0xa0),
      () => this.inTable(0, 0x33, 0x14, 0x8d),
      () => this.inTable(4, 0xc7, 0x05),
      () => this.inTable(1, 0x80, 0x05),
      () => this.operation(),
    ];
    this.#random.pick(others)();
  }

  /** A write of something random, now and then or each time; returns where its address is to be filled in. */
  write(isOperation: boolean): number {
    const { code } = this, random = this.#random, seldom = !random.oneIn(3);
    // test esi, mask; jnz behind the write
    if (seldom) code.push(0xf7, 0xc6, ...dword(0x3f << random.below(20)), 0x75, 0);
    const jump = code.length;
    // mov ebx, esi; shr ebx, n
    code.push(0x89, 0xf3, 0xc1, 0xeb, random.below(24));
    // and ebx, 3; mov bl, [OPCODES + ebx]; mov [..], bl
    if (isOperation) code.push(0x83, 0xe3, 3, 0x8a, 0x9b, ...dword(OPCODES));
    code.push(0x88, 0x1d, 0, 0, 0, 0);
    if (seldom) code[jump - 1] = code.length - jump;
    return code.length - 4;
  }
}

/**
 * A loop that writes to its own code, and to that of functions that it calls; ESI is a random number that is another one in each
 * round.
 */
function program(random: Random): Piece[] {
  const functions = Array.from({ length: 3 }, (_, i) => new Piece(random, FUNCTIONS + 0x100 * i));
  for (const piece of functions) {
    for (let i = 0; i < 5; i++) piece.other();
    piece.code.push(0xc3);
  }
  const main = new Piece(random, START), { code } = main, writes: { at: number; isOperation: boolean }[] = [];
  code.push(0xb9, ...dword(ROUNDS));
  const loop = main.end;
  main.operation();
  for (let i = 0; i < 12; i++) {
    main.other();
    const isOperation = random.oneIn(5);
    writes.push({ at: main.write(isOperation), isOperation });
    if (i % 2 === 0) main.call(FUNCTIONS + 0x100 * random.below(functions.length));
  }
  // imul esi, esi, 1664525; add esi, 1013904223; dec ecx; jnz loop; hlt
  code.push(0x69, 0xf6, ...dword(1664525), 0x81, 0xc6, ...dword(1013904223), 0x49);
  code.push(0x0f, 0x85, ...dword(loop - main.end - 6), 0xf4);
  const pieces = [main, ...functions];
  for (const { at, isOperation } of writes) {
    const piece = isOperation ? main : random.pick(pieces);
    code.splice(at, 4, ...dword(random.pick(isOperation ? piece.operations : piece.constants)));
  }
  return pieces;
}

/** Runs it; returns the registers, the code and the table at its end. */
function run(pieces: readonly Piece[], options: CpuOptions, slice: number): string {
  const { cpu, memory, load } = testBoard(options);
  for (const { code, end } of pieces) load(end - code.length, ...code);
  load(OPCODES, ...OPERATIONS);
  cpu.r.set32(R.SI, 12345);
  while (cpu.run(slice) === "budget");
  const registers = [R.AX, R.BX, R.CX, R.DX, R.SP, R.BP, R.SI, R.DI].map((register) => cpu.r.get32(register));
  const bytes = [START, FUNCTIONS, TABLE].map((address) => {
    const page = new Uint8Array(0x1000);
    memory.read(address, page);
    return page;
  });
  return [cpu.instructions, registers, ...bytes].join(";");
}

const WAYS: readonly [CpuOptions, number][] = [
  [{ tier: "interpreter" }, 77],
  [{ tier: "single" }, 1e6],
  [{ tier: "regions" }, 1e6],
  [{ tier: "regions" }, 109],
  [{ tier: "regions", stress: { evictEvery: 9 } }, 1009],
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
