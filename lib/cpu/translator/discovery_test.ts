import { assertEquals } from "@std/assert";
import { type CodeView, exitsOf, type Limits, rangesOf } from "./discovery.ts";
import { regionCode } from "./test_code.ts";

const AT = 0x1000;
const CODE = Uint8Array.fromHex([
  "85c0", //       1000: test eax, eax
  "7403", //       1002: jz 1007
  "40", //         1004: inc eax
  "eb02", //       1005: jmp 1009
  "48", //         1007: dec eax
  "48", //         1008: dec eax
  "7cf5", //       1009: jl 1000
  "ffe1", //       100b: jmp ecx
].join(""));

/** The blocks of the region at 1000h: where each begins, and its instructions. */
function blocks(view: Partial<CodeView> = {}, limits?: Limits) {
  const bytes = new Uint8Array(0x2000);
  bytes.set(CODE, AT);
  const code = regionCode(bytes, AT, view, limits);
  return code && { code, starts: code.blocks.map(({ ip, instructions }) => [ip - AT, instructions.length]) };
}

Deno.test("discover: follows both ways of branches, and divides code where ways meet", () => {
  assertEquals(blocks()?.starts.sort(([a], [b]) => a - b), [[0, 2], [4, 2], [7, 2], [9, 1], [0xb, 1]]);
});

Deno.test("discover: leaves out what has not run, what is not known to be there, and what is too much", () => {
  const ran = blocks({ executed: (ip) => ip < AT + 7 });
  assertEquals(ran?.starts, [[0, 2], [4, 2]]);
  assertEquals(exitsOf(ran!.code), [AT + 7, AT + 9]);
  assertEquals(blocks({ host: (ip) => ip < AT + 4 ? ip : -1 })?.starts, [[0, 2]]);
  assertEquals(blocks({ host: () => -1 }), null);
  assertEquals(blocks({}, { instructions: 1, blocks: 1 })?.starts, [[0, 1]]);
});

Deno.test("exitsOf: nothing leads on behind a jump by register, a return and what the interpreter executes", () => {
  const branch = blocks({ executed: (ip) => ip !== AT + 7 });
  assertEquals(exitsOf(branch!.code), [AT + 7]);
  const bytes = new Uint8Array(0x2000).fill(0x90, AT);
  bytes.set([0x40, 0xc3], AT);
  assertEquals(exitsOf(blocks({ bytes })!.code), []);
  assertEquals(exitsOf(blocks({ interpreted: ({ mnemonic }) => mnemonic === "inc" })!.code), []);
});

Deno.test("discover: goes where an indirect jump has been seen to go", () => {
  const found = blocks({ indirectTargets: (ip) => ip === AT + 0xb ? [AT + 8] : [] });
  assertEquals(found?.starts.some(([at]) => at === 8), true);
});

Deno.test("discover: a shared indirect jump is a region of its own", () => {
  const jump = CODE.subarray(0xb);
  const targets = (...to: number[]) => regionCode(Uint8Array.of(...jump, 0x40, 0xc3), 0, { indirectTargets: () => to });
  assertEquals(targets(2)?.blocks.map(({ ip }) => ip), [0, 2]);
  assertEquals(targets(2, 3)?.blocks.map(({ ip }) => ip), [0]);
});

Deno.test("discover: ends where other regions begin if there is more than it may have", () => {
  const isRoot = (ip: number) => ip === AT || ip === AT + 9;
  assertEquals(blocks({ isRoot })?.starts.length, 5);
  const cut = blocks({ isRoot }, { instructions: 7, blocks: 100 })!;
  assertEquals(cut.starts.sort(([a], [b]) => a - b), [[0, 2], [4, 2], [7, 2]]);
  assertEquals(exitsOf(cut.code), [AT + 9]);
});

Deno.test("discover: a root that the interpreter has to execute makes no region", () => {
  assertEquals(blocks({ interpreted: ({ mnemonic }) => mnemonic === "test" }), null);
});

Deno.test("rangesOf: pieces without gaps are one range, and none reaches into another frame", () => {
  assertEquals(rangesOf(blocks({ executed: (ip) => ip < AT + 4 })!.code), [{ start: AT, end: AT + 4 }]);
  // Two instructions on either side of a page's end.
  const bytes = new Uint8Array(0x3000).fill(0x90);
  bytes[AT + 0x1002] = 0xc3;
  const view = { bytes, host: (ip: number) => ip + 0xffe }, found = blocks(view)!;
  assertEquals(rangesOf(found.code), [{ start: 0x1ffe, end: 0x2000 }, { start: 0x2000, end: 0x2003 }]);
  // What comes in another page begins a block: it may not be there any more.
  assertEquals(found.starts, [[0, 2], [2, 3]]);
});

Deno.test("discover: takes in an instruction in two pages if both are known", () => {
  const bytes = new Uint8Array(0x4000), host = (ip: number) => ip < 0x2000 ? ip : ip + 0x1000;
  // 1ffe: mov eax, 12345678h; ret
  bytes.set([0xb8, 0x78], 0x1ffe);
  bytes.set([0x56, 0x34, 0x12, 0xc3], 0x3000);
  const code = regionCode(bytes, 0x1ffe, { host });
  assertEquals(code?.blocks.map(({ ip, instructions }) => [ip, instructions[0].tail]), [[0x1ffe, 0x3000], [
    0x2003,
    -1,
  ]]);
  assertEquals(rangesOf(code!), [{ start: 0x1ffe, end: 0x2000 }, { start: 0x3000, end: 0x3004 }]);
  assertEquals(regionCode(bytes, 0x1ffe, { host: (ip) => ip < 0x2000 ? ip : -1 }), null);
});
