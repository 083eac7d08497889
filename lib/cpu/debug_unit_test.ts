import { assertEquals } from "@std/assert";
import { CR4, R, S, Seg, Vector } from "./state.ts";
import { gate, ProtectedBoard, Sel } from "./system/test_tables.ts";

/** DR7 with breakpoint 0 enabled for ports: R/W 10b, and the length field. */
function portBreakpoint(length: number): number {
  return 0x401 | (2 << 16) | (length << 18);
}

/** Runs code with a breakpoint on ports from 80h; the address at which #DB interrupted it, or -1. */
function run(code: readonly number[], dr7: number, cr4: number = CR4.DE): number {
  const b = new ProtectedBoard();
  b.gate(Vector.DB, gate(0x8e, Sel.CODE0, 0x5000));
  b.board.load(0x1000, ...code, 0xf4);
  b.board.load(0x5000, 0xf4);
  b.r.setNumber(S.CR4, cr4);
  b.r.setNumber(S.DR, 0x80);
  b.r.setNumber(S.DR + 7 * 8, dr7);
  b.cpu.debugRegistersChanged();
  b.r.set32(R.DX, 0x82);
  b.r.set32(R.CX, 3);
  b.r.set32(R.SI, 0x6000);
  b.r.set32(R.DI, 0x6000);
  b.cpu.run(10_000);
  if (b.r.ip !== 0x5001) return -1;
  assertEquals([b.r.i32(S.DR + 6 * 8) & 15, b.r.selector(Seg.CS)], [1, Sel.CODE0]);
  return b.stack(1)[0];
}

Deno.test("breakpoints on ports trap after the instruction, while CR4.DE is set", () => {
  const dword = portBreakpoint(3);
  assertEquals(run([0xe6, 0x80, 0x90], dword), 0x1002, "out 80h, al");
  assertEquals(run([0xe4, 0x83, 0x90], dword), 0x1002, "in al, 83h");
  assertEquals(run([0xef, 0x90], dword), 0x1001, "out dx, eax, which covers 82h to 85h");
  assertEquals(run([0xe6, 0x84, 0x90], dword), -1);
  assertEquals(run([0xe6, 0x81, 0x90], portBreakpoint(0)), -1);
  assertEquals(run([0xe6, 0x80, 0x90], dword, 0), -1, "without CR4.DE");
  // Of a repeated instruction each iteration traps.
  assertEquals(run([0xf3, 0x6e, 0x90], dword), 0x1000, "rep outsb");
  assertEquals(run([0xf3, 0x6c, 0x90], dword), 0x1000, "rep insb");
});

/**
 * The addresses to which #DB returns, of code at 1000h with breakpoint 0, and DR7. The four bytes at 6000h are a selector
 * for SS.
 */
function runWatching(address: number, dr7: number, ...code: number[]): number[] {
  const b = new ProtectedBoard();
  // push [esp]; pop [edi]; add edi, 4; or byte [esp + 10], 1 (RF); iret
  b.board.load(0x5000, 0xff, 0x34, 0x24, 0x8f, 0x07, 0x83, 0xc7, 4, 0x80, 0x4c, 0x24, 10, 1, 0xcf);
  b.gate(Vector.DB, gate(0x8e, Sel.CODE0, 0x5000));
  b.board.load(0x1000, ...code, 0xf4);
  b.write32(0x6000, b.r.selector(Seg.SS));
  b.r.setNumber(S.DR, address);
  b.r.setNumber(S.DR + 7 * 8, dr7);
  b.cpu.debugRegistersChanged();
  b.r.set32(R.DI, 0x7000);
  assertEquals(b.cpu.run(100), "halted");
  const count = (b.r.get32(R.DI) - 0x7000) / 4;
  return Array.from({ length: count }, (_, i) => b.read32(0x7000 + i * 4));
}

/** mov ss, [6000h] */
const LOAD_STACK = [0x8e, 0x15, 0x00, 0x60, 0, 0];

Deno.test("a breakpoint on what is loaded into SS traps after the next instruction", () => {
  const watching = (...code: number[]) => runWatching(0x6000, 0xf_0401, ...LOAD_STACK, ...code);
  assertEquals(watching(0x90, 0x90), [0x1007]);
  assertEquals(watching(0xf1), [0x1007], "int1 takes it along");
  assertEquals(watching(0xcd, 1), [0x5000, 0x1008], "int 1 lets it wait for the handler");
});

Deno.test("a breakpoint on the instruction after a load of SS is passed over", () => {
  assertEquals(runWatching(0x1006, 0x401, ...LOAD_STACK, 0x90), []);
  assertEquals(runWatching(0x1001, 0x401, 0xfb, 0xf4), [0x1001], "but not after sti");
});
