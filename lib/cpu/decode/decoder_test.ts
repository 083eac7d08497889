import { assert, assertEquals, assertMatch } from "@std/assert";
import { Random } from "../../../scripts/lib/random.ts";
import type { CodeSize, Instruction, MemoryOperand } from "./instruction.ts";
import { decode, newInstruction } from "./decoder.ts";
import { disassemble } from "./disassembler.ts";
import { OPCODES_0F38, OPCODES_0F3A, TWO_BYTE_OPCODES } from "./opcodes_0f.ts";
import { BASE_OPCODES } from "./opcodes_base.ts";
import { X87_OPCODES } from "./opcodes_x87.ts";
import { listMnemonics, OpcodeTable } from "./table.ts";

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (byte) => parseInt(byte, 16));
}

function decoded(size: CodeSize, hex: string): Instruction {
  const bytes = bytesOf(hex), instruction = newInstruction();
  assertEquals(decode(bytes, 0, bytes.length, size, instruction), "ok", hex);
  assertEquals(instruction.length, bytes.length, `length of ${hex}`);
  return instruction;
}

function check(size: CodeSize, cases: readonly (readonly [string, string])[]): void {
  for (const [hex, text] of cases) assertEquals(disassemble(decoded(size, hex), 0x1000), text, `${size}-bit ${hex}`);
}

Deno.test("decode: 16-bit code", () => {
  check(16, [
    ["00d8", "add al,bl"],
    ["8b00", "mov ax,WORD PTR [bx+si]"],
    ["8b4efe", "mov cx,WORD PTR [bp-0x2]"],
    ["8b0e3412", "mov cx,WORD PTR ds:0x1234"],
    ["268b07", "mov ax,WORD PTR es:[bx]"],
    ["66678b442404", "mov eax,DWORD PTR [esp+0x4]"],
    ["66b878563412", "mov eax,0x12345678"],
    ["ea0000fff0", "jmpf 0xf0ff:0x0"],
    ["ff6f04", "jmpf DWORD PTR [bx+0x4]"],
    ["e8fdff", "call 0x1000"],
    ["f3a4", "rep movs BYTE PTR es:[di],BYTE PTR [si]"],
    ["2ef366a5", "rep movs DWORD PTR es:[di],DWORD PTR cs:[si]"],
    ["f2ae", "repnz scas al,BYTE PTR es:[di]"],
    ["e302", "jcxz 0x1004"],
    ["67e302", "jecxz 0x1005"],
    ["c8100001", "enter 0x10,0x1"],
    ["82c0ff", "add al,0xff"],
    ["d6", "salc"],
    ["c45e08", "les bx,DWORD PTR [bp+0x8]"],
    ["6207", "bound ax,DWORD PTR [bx]"],
    ["63c8", "arpl ax,cx"],
    ["9c", "pushfw"],
    ["ec", "in al,dx"],
    ["66e510", "in eax,0x10"],
    ["6c", "ins BYTE PTR es:[di],dx"],
    ["0f01160000", "lgdt ds:0x0"],
    ["d7", "xlat BYTE PTR [bx]"],
  ]);
});

Deno.test("decode: 32-bit code", () => {
  check(32, [
    ["90", "nop"],
    ["f390", "pause"],
    ["83c0ff", "add eax,0xffffffff"],
    ["6683c0ff", "add ax,0xffff"],
    ["f00fb10b", "lock cmpxchg DWORD PTR [ebx],ecx"],
    ["8d04c500010000", "lea eax,[eax*8+0x100]"],
    ["0fbe4501", "movsx eax,BYTE PTR [ebp+0x1]"],
    ["c1e004", "shl eax,0x4"],
    ["d0f0", "shl al,0x1"],
    ["d3e8", "shr eax,cl"],
    ["f7c078563412", "test eax,0x12345678"],
    ["f7c8ffffffff", "test eax,0xffffffff"],
    ["0f20c0", "mov eax,cr0"],
    ["0f2003", "mov ebx,cr0"],
    ["8ed8", "mov ds,ax"],
    ["8cd8", "mov eax,ds"],
    ["8c18", "mov WORD PTR [eax],ds"],
    ["0fc70e", "cmpxchg8b QWORD PTR [esi]"],
    ["0f0b", "ud2"],
    ["f1", "int1"],
    ["cd80", "int 0x80"],
    ["0f34", "sysenter"],
    ["0f1f440000", "nop DWORD PTR [eax+eax*1]"],
    ["f30f1efb", "endbr32"],
    ["f30fbcc1", "tzcnt eax,ecx"],
    ["0fbcc1", "bsf eax,ecx"],
    ["f20f38f1c1", "crc32 eax,ecx"],
    ["66f20f38f1c1", "crc32 eax,cx"],
    ["0f38f003", "movbe eax,DWORD PTR [ebx]"],
    ["660f6fc1", "movdqa xmm0,xmm1"],
    ["0f6fc1", "movq mm0,mm1"],
    ["f30f2ac1", "cvtsi2ss xmm0,ecx"],
    ["f20f10c1", "movsd xmm0,xmm1"],
    ["0fc2c103", "cmpps xmm0,xmm1,0x3"],
    ["0f12c1", "movhlps xmm0,xmm1"],
    ["0f1201", "movlps xmm0,QWORD PTR [ecx]"],
    ["0faee8", "lfence"],
    ["0fae00", "fxsave [eax]"],
    ["d8c1", "fadd st,st(1)"],
    ["dec1", "faddp st(1),st"],
    ["dc00", "fadd QWORD PTR [eax]"],
    ["db28", "fld TBYTE PTR [eax]"],
    ["dfe0", "fnstsw ax"],
    ["dfd1", "fstp st(1)"],
    ["d9e8", "fld1"],
    ["cf", "iretd"],
    ["c20400", "ret 0x4"],
  ]);
});

Deno.test("decode: 64-bit code", () => {
  check(64, [
    ["4889d8", "mov rax,rbx"],
    ["4488c0", "mov al,r8b"],
    ["40b601", "mov sil,0x1"],
    ["b601", "mov dh,0x1"],
    ["48b8efcdab8967452301", "mov rax,0x123456789abcdef"],
    ["488b0510000000", "mov rax,QWORD PTR [rip+0x10]        # 0x1017"],
    ["67488b0510000000", "mov rax,QWORD PTR [eip+0x10]        # 0x1018"],
    ["8b042510000000", "mov eax,DWORD PTR ds:0x10"],
    ["4863c1", "movsxd rax,ecx"],
    ["50", "push rax"],
    ["6650", "push ax"],
    ["4150", "push r8"],
    ["4190", "xchg r8d,eax"],
    ["4890", "nop"],
    ["e800000000", "call 0x1005"],
    ["66e800000000", "call 0x1006"],
    ["ff24c500000000", "jmp QWORD PTR [rax*8]"],
    ["0f05", "syscall"],
    ["480f07", "sysret"],
    ["480fc70e", "cmpxchg16b XMMWORD PTR [rsi]"],
    ["0f01f8", "swapgs"],
    ["f3480faec0", "rdfsbase rax"],
    ["440f20c0", "mov rax,cr8"],
    ["4898", "cdqe"],
    ["4899", "cqo"],
    ["48cf", "iretq"],
    ["65488b042500000000", "mov rax,QWORD PTR gs:0x0"],
    ["2e8b00", "mov eax,DWORD PTR [rax]"],
    ["66480f6ec0", "movq xmm0,rax"],
    ["48ab", "stos QWORD PTR es:[rdi],rax"],
    ["4b8b44b510", "mov rax,QWORD PTR [r13+r14*4+0x10]"],
    // A REX prefix before another prefix does not count.
    ["4866b80100", "mov ax,0x1"],
  ]);
});

Deno.test("decode: undefined encodings", () => {
  const cases: [CodeSize, string][] = [
    [64, "06"],
    [64, "27"],
    [64, "60"],
    [64, "d400"],
    [64, "ea"],
    [32, "0f05"],
    [32, "f089c8"],
    [32, "f001c8"],
    [32, "8ec8"],
    [32, "8ef8"],
    [32, "0f20c8"],
    [32, "fef8"],
    [32, "ffff"],
    [32, "8dc0"],
    [32, "c4c0"],
    [32, "c5c0"],
    [32, "f30f54c1"],
    [32, "660f12c1"],
    [32, "0fa6"],
    [32, "f30f77"],
  ];
  for (const [size, hex] of cases) assertEquals(decoded(size, hex).mnemonic, "ud", `${size}-bit ${hex}`);
});

Deno.test("decode: LOCK is legal for read-modify-write to memory only", () => {
  assert(decoded(32, "f00100").lock);
  assert(decoded(32, "f0ff00").lock);
  assert(decoded(32, "f08700").lock);
  assertEquals(decoded(32, "f00300").mnemonic, "ud");
  assertEquals(decoded(32, "f03900").mnemonic, "ud");
  assertEquals(decoded(32, "f00fa300").mnemonic, "ud");
  assert(decoded(32, "f00fab00").lock);
});

Deno.test("decode: repeat prefixes are reported for string instructions only", () => {
  assertEquals(decoded(32, "f3a5").repeat, "rep");
  assertEquals(decoded(32, "f2a7").repeat, "repne");
  assertEquals(decoded(32, "f3c3").repeat, "");
  assertEquals(decoded(32, "f36e").repeat, "rep");
});

Deno.test("decode: says when the bytes do not suffice, never when 15 are there", () => {
  const bytes = bytesOf("66c784241000000034129090"), out = newInstruction();
  for (let end = 0; end < bytes.length - 2; end++) assertEquals(decode(bytes, 0, end, 32, out), "truncated", `${end}`);
  const prefixes = new Uint8Array(20).fill(0x66);
  assertEquals(decode(prefixes, 0, 14, 32, out), "truncated");
  assertEquals(decode(prefixes, 0, 15, 32, out), "ok");
  assertEquals([out.mnemonic, out.length], ["toolong", 15]);
  prefixes[14] = 0x90;
  assertEquals(decode(prefixes, 0, 20, 32, out), "ok");
  assertEquals([out.mnemonic, out.length], ["nop", 15]);
});

Deno.test("decode: default segments and operand details", () => {
  const memory = (size: CodeSize, hex: string) =>
    decoded(size, hex).operands.find((operand) => operand.kind === "mem") as MemoryOperand;
  assertEquals(memory(32, "8b4500").segment, 2);
  assertEquals(memory(32, "8b0424").segment, 2);
  assertEquals(memory(32, "3e8b4500").segment, 3);
  assertEquals(memory(16, "8b02").segment, 2);
  assertEquals(memory(16, "8b07").segment, 3);
  assertEquals(memory(64, "648b00").segment, 4);
  assertEquals(memory(64, "48a11122334455667788").disp64, BigInt.asIntN(64, 0x8877665544332211n));
  assertEquals(memory(32, "0f0100").size, 0);
  assertEquals(memory(32, "ff18").size, 48);
  assertEquals(decoded(32, "69c0ffffffff").operands[2], { kind: "imm", value: -1, size: 32 });
  assertEquals(decoded(32, "cdff").operands[0], { kind: "imm", value: 255, size: 8 });
  assertEquals(decoded(32, "2c80").operands[1], { kind: "imm", value: -128, size: 8 });
  assertEquals(decoded(32, "66e9ffff").operands[0], { kind: "rel", value: -1, size: 16 });
  assertEquals(decoded(64, "68ffffffff").operandSize, 64);
});

Deno.test("decode: random bytes decode to something no longer than 15 bytes", () => {
  const random = new Random(1), out = newInstruction();
  for (let round = 0; round < 3000; round++) {
    const bytes = random.bytes(64);
    for (const size of [16, 32, 64] as const) {
      assertEquals(decode(bytes, 3, bytes.length, size, out), "ok");
      assert(out.length >= 1 && out.length <= 15);
      assert(disassemble(out, 0xffff_ffff_ffffn).length > 0);
    }
  }
});

Deno.test("listMnemonics: names every entry of the table once", () => {
  const mnemonics = listMnemonics();
  assertEquals(mnemonics.length, new Set(mnemonics).size);
  for (const name of ["add", "jnbe", "cmpxchg8b", "fsincos", "pshufb", "aesenc", "ud", "toolong"]) {
    assert(mnemonics.includes(name), name);
  }
});

Deno.test("OpcodeTable: no row goes on to another upper digit, so that sixteen opcodes can be parsed by themselves", () => {
  // A row that did would not find its opcodes: they come one after the other.
  assert(new OpcodeTable().complete().forms.length > 1000);
  for (const text of [BASE_OPCODES, X87_OPCODES, TWO_BYTE_OPCODES, OPCODES_0F38, OPCODES_0F3A]) {
    for (const row of text.trim().split("\n")) assertMatch(row, /^[0-9a-f]{2}/);
  }
});
