/** Random loops in 64-bit code, through pages that lie in memory in another order, do the same in every tier. */
import { assertEquals } from "@std/assert";
import { Random } from "../scripts/lib/random.ts";
import { snippetImage } from "../scripts/lib/snippet.ts";
import type { CpuOptions } from "../lib/cpu/options.ts";
import type { BlockBackend } from "../lib/machine/types.ts";
import { Machine } from "../lib/machine/machine.ts";
import { testWith } from "./support.ts";

const CASES = 12, ROUNDS = 40, LONGEST = 20_000_000;
/** Sixteen pages; the frame of page n is number 5 × n modulo 16. */
const DATA = 0x100000;
/** Eight pointers, to objects that mostly lie across the end of a page. */
const POINTERS = 0xa0000;

const random = new Random(6464);
const POINTER_REGISTERS = ["rsi", "rdi", "rbx", "r9", "r12"] as const, VALUES = ["rax", "rbp", "r8", "r10"] as const;
const DWORDS = { rax: "eax", rbp: "ebp", r8: "r8d", r10: "r10d" } as const;

function signed(number: number): string {
  return number < 0 ? `${number}` : `+${number}`;
}

function place(): string {
  const distance = signed((random.below(33) - 16) * random.pick([8, 8, 4, 1]));
  switch (random.below(6)) {
    case 0:
      return `[rbx+rdx*${random.pick([1, 2, 4, 8])}${distance}]`;
    case 1:
      return `[r9+rcx*8${distance}]`;
    default:
      return `[${random.pick(POINTER_REGISTERS)}${distance}]`;
  }
}

const value = () => random.pick(VALUES), narrow = () => DWORDS[value()];

const KINDS: readonly (() => string)[] = [
  () => `mov ${value()}, ${place()}`,
  () => `mov ${place()}, ${value()}`,
  () => `mov ${narrow()}, ${place()}`,
  () => `mov ${place()}, ${narrow()}`,
  () => `movsxd ${value()}, dword ${place()}`,
  () => `${random.pick(["add", "xor", "adc", "sub"])} ${value()}, ${place()}`,
  () => `${random.pick(["add", "xor", "adc", "sub"])} ${place()}, ${value()}`,
  () => `${random.pick(["inc", "dec", "not", "neg"])} ${random.pick(["qword", "dword", "byte"])} ${place()}`,
  () => `movups xmm0, ${place()}`,
  () => `movups ${place()}, xmm0`,
  () => `movsd xmm1, ${place()}; addsd xmm1, xmm1; movsd ${place()}, xmm1`,
  () => `add ${random.pick(POINTER_REGISTERS)}, ${(random.below(9) - 4) * random.pick([1, 4, 8])}`,
  () => "add esi, 8",
  () => "lea edi, [rdi+4]",
  () => `push rax; pop rbp; imul ${value()}, ${value()}`,
  // Tables whose index is a byte, and fields of an object.
  () => `movzx r11d, byte ${place()}; xor r10, [rbx+r11*${random.pick([1, 4, 8])}]`,
  () => `movzx r11d, byte [rsi]; xor rax, [r12+r11*8]; mov [rdi], rax`,
  () => `movzx r11d, byte ${place()}; add [r9+r11*4-64], eax`,
  () => `and r8d, ${random.below(128)}; mov al, [r8+${DATA + 0x1000 * random.below(5) - 100}]`,
  () => `mov r13, [${POINTERS + 8 * random.below(8)}]; mov rax, [r13+8]; add rax, [r13+16]; mov [r13+24], rax`,
];

/** Page tables for the data, the pointers, and something in the data. */
const SET_UP = `
        mov edi, 0x90000; mov eax, 3; mov ecx, 512
identity: mov [rdi], rax; add rdi, 8; add rax, 0x1000; dec ecx; jnz identity
permute: lea eax, [rcx+rcx*4]; and eax, 15; add eax, ${DATA >> 12}; shl eax, 12; or eax, 3
        mov [0x90000+${DATA >> 9}+rcx*8], rax; inc ecx; cmp ecx, 16; jb permute
        mov dword [0x3000], 0x90003; mov rax, cr3; mov cr3, rax; xor ecx, ecx
point:  imul eax, ecx, 0x1ff0; add eax, ${DATA - 0x10}; mov [${POINTERS}+rcx*8], rax; inc ecx; cmp ecx, 8; jb point
        mov edi, ${DATA}; mov eax, 1
fill:   imul eax, eax, 1664525; add eax, 1013904223; mov [rdi], eax; add edi, 4; cmp edi, ${DATA + 0x10000}; jb fill
        mov r15d, ${ROUNDS}
`;

/** Loops after one another, some with two ways round, all of it several times. */
function program(): string {
  const lines = [SET_UP, "again:"];
  for (let loop = 3 + random.below(4); loop > 0; loop--) {
    for (const register of POINTER_REGISTERS) {
      lines.push(`mov ${register}, ${DATA + 0x1000 * random.below(6) + random.below(420) - 340}`);
    }
    lines.push(`mov rdx, ${random.below(64)}; mov ecx, ${2 + random.below(90)}; loop${loop}:`);
    for (let left = 1 + random.below(3); left > 0; left--) lines.push(random.pick(KINDS)());
    const step = `add ${random.pick(["rsi", "rdi", "r12"])}, ${random.pick([8, 8, 4, 16, -8])}`;
    if (random.oneIn(3)) {
      lines.push(`${step}; test al, ${1 << random.below(4)}; jz other${loop}; dec rcx; jnz near loop${loop}; inc rcx`);
      lines.push(`other${loop}: ${random.pick(KINDS)()}`);
    }
    lines.push(`${step}; dec rcx; jnz near loop${loop}`);
  }
  lines.push("dec r15d; jnz near again");
  return lines.join("\n");
}

function floppy(bytes: Uint8Array): BlockBackend {
  return {
    size: bytes.length,
    readOnly: false,
    read: (offset, target) => target.set(bytes.subarray(offset, offset + target.length)),
    write: (offset, source) => bytes.set(source, offset),
    flush: () => {},
  };
}

/** Runs an image until it halts; returns after how many instructions, and the machine's hash. */
function run(image: Uint8Array, options: CpuOptions, slice: number): [number, string] {
  const machine = new Machine({
    ...options,
    memory: 16 << 20,
    firmware: { kind: "builtin" },
    fda: floppy(image.slice()),
  });
  while (machine.cpu.instructions < LONGEST && machine.run(slice) === "instructions");
  return [machine.cpu.instructions, machine.hash()];
}

testWith(
  "64-bit loops through memory do the same in every tier",
  [{ path: "/usr/bin/nasm", hint: "install the package nasm", expectedInCi: true }],
  async () => {
    for (let i = 0; i < CASES; i++) {
      const code = program(), image = await snippetImage(code, 64);
      const expected = run(image, { tier: "interpreter" }, LONGEST);
      for (const slice of [LONGEST, 4999]) assertEquals(run(image, { tier: "regions" }, slice), expected, code);
      const stress = { compileSeed: i + 1, tlbEntries: 2 };
      assertEquals(run(image, { tier: "auto", stress }, LONGEST), expected, code);
    }
  },
);
