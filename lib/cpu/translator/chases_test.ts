/** Loops over lists: what is found, and that random ones do the same in every way while pages move. */
import { assertEquals } from "@std/assert";
import { Random } from "../../../scripts/lib/random.ts";
import { PAGE_SIZE } from "../../machine/memory.ts";
import type { CpuOptions } from "../options.ts";
import { Access } from "../registers.ts";
import { CR0, CR4, S, Seg } from "../state.ts";
import { dword, mapFrames, testBoard } from "../test_board.ts";
import { findChases } from "./chases.ts";
import { findLoaded } from "./pointers.ts";
import { RegionGraph } from "./region_graph.ts";
import { RegisterFlow } from "./register_flow.ts";
import { regionCode } from "./test_code.ts";

/** Offsets of the blocks that are in a loop over a list. */
function chasesIn(...hex: string[]): number[] {
  const region = new RegionGraph(regionCode(Uint8Array.fromHex(hex.join("")))!.blocks), flow = new RegisterFlow(region);
  const chases = findChases(region, flow, findLoaded(region, flow, true));
  return region.blocks.filter((_, i) => chases[i + 1] !== 0).map(({ ip }) => ip);
}

Deno.test("findChases: a loop goes on by a pointer that it has just loaded", () => {
  const found = chasesIn(
    "394804", // 0: cmp [eax+4], ecx
    "7406", //   3: jz 11
    "8b00", //   5: mov eax, [eax]
    "85c0", //   7: test eax, eax
    "75f5", //   9: jnz 0
    "c3", //    11: ret
  );
  assertEquals(found, [0, 5]);
});

Deno.test("findChases: an array of pointers is no list", () => {
  assertEquals(chasesIn("8b06", "83c604", "0318", "49", "75f6", "c3"), []);
});

const CODE = 0x10000, DATA = 0x14000, PAGES = 3, TABLES = 0x30000, CASES = 40, INSTRUCTIONS = 4000;
const EAX = 0, ECX = 1, EDX = 2;
const random = new Random(2025);

/** Where an object is: most are in one page; the others have their fields in two. */
function object(): number {
  const page = DATA + PAGE_SIZE * random.below(PAGES - 1);
  return random.oneIn(12)
    ? page + PAGE_SIZE - random.pick([8, 2])
    : page + 16 * (1 + random.below(random.pick([2, 250])));
}

/** Accesses to an object but for its first word, which leads to the next one. */
const KINDS: readonly (() => number[])[] = [
  () => [0x8b, 0x50, random.pick([4, 8, 12])], // mov edx, [eax+…]
  () => [random.pick([0x01, 0x31, 0x89]), 0x48, 12], // add, xor or mov [eax+12], ecx
  () => [0xff, 0x40, 12], // inc dword [eax+12]
  () => [0x0f, 0xb6, 0x50, random.below(16)], // movzx edx, byte [eax+…]
  () => [0x39, 0x48, 4, 0x74, 1, 0x42], // cmp [eax+4], ecx; jz over inc edx
  () => [0x0f, 0x10, 0x00], // movups xmm0, [eax]
];

/** Walks along lists, between which pages go to other frames. */
function program(): number[] {
  const code: number[] = [];
  for (let loops = 1 + random.below(3); loops > 0; loops--) {
    code.push(0xb8 | EAX, ...dword(object()), 0xb8 | ECX, ...dword(1 + random.below(60)));
    const start = code.length;
    for (let left = random.below(random.pick([2, 4])); left > 0; left--) code.push(...random.pick(KINDS)());
    // Some hop by way of another register.
    code.push(...random.pick([[0x8b, 0x00], [0x8b, 0x10, 0x89, 0xc0 | EDX << 3 | EAX]]));
    code.push(0x49, 0x0f, 0x85);
    code.push(...dword(start - code.length - 4));
    if (random.oneIn(2)) {
      const entry = TABLES + PAGE_SIZE + 4 * ((DATA >> 12) + random.below(PAGES));
      code.push(0xc7, 0x05, ...dword(entry), ...dword(DATA + PAGE_SIZE * random.below(PAGES) + 7));
    }
  }
  code.push(0xe9);
  code.push(...dword(-code.length - 4));
  return code;
}

/** Objects in all pages. */
function objects(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(PAGES * PAGE_SIZE), view = new DataView(bytes.buffer);
  for (let at = 16; at < bytes.length - 16; at += 16) view.setUint32(at, object(), true);
  // In whatever order the frames are, a link across the end of a page leads to an object.
  for (let end = PAGE_SIZE; end <= bytes.length; end += PAGE_SIZE) {
    view.setUint32(end - 8, object(), true);
    view.setUint16(end - 2, object(), true);
    view.setUint16(end - PAGE_SIZE, DATA >>> 16, true);
    for (let at = 2; at < 16; at += 2) view.setUint16(end - PAGE_SIZE + at, random.below(0x10000), true);
  }
  return bytes;
}

/** All that the user's instructions leave that are run in slices. */
function run(options: CpuOptions, code: readonly number[], data: Uint8Array<ArrayBuffer>, slice: number): string[] {
  const { cpu, memory } = testBoard(options), { r } = cpu, out = new Uint8Array(PAGES * PAGE_SIZE);
  memory.write(DATA, data);
  memory.write(CODE, new Uint8Array(code));
  mapFrames(memory, TABLES, TABLES + PAGE_SIZE, 1024, 7);
  r.setNumber(S.CR3, TABLES);
  r.setI32(S.CR0, r.i32(S.CR0) | CR0.PG);
  r.setI32(S.CR4, CR4.OSFXSR);
  for (const segment of [Seg.ES, Seg.CS, Seg.SS, Seg.DS, Seg.FS, Seg.GS]) {
    r.setSegment(segment, 0x13, 0, 0xffff_ffff, r.segmentAccess(segment) | Access.DPL);
  }
  r.setI32(S.CPL, 3);
  r.ip = CODE;
  cpu.modeChanged();
  for (let left = INSTRUCTIONS; left > 0; left -= slice) cpu.run(Math.min(slice, left));
  memory.read(DATA, out);
  const registers = Array.from({ length: 8 }, (_, i) => `${r.i32(S.GPR + 8 * i)}`);
  const sum = out.reduce((sum, byte) => Math.imul(sum ^ byte, 0x01000193), 0);
  return [`${r.ip}`, `${cpu.instructions}`, ...registers, `${r.u64(S.XMM)}`, `${r.u64(S.XMM + 8)}`, `${sum}`];
}

Deno.test("chases: random walks along lists do the same in regions as in the interpreter", () => {
  for (let i = 0; i < CASES; i++) {
    const code = program(), data = objects(), expected = run({ tier: "interpreter" }, code, data, 10_007);
    assertEquals(expected[1], `${INSTRUCTIONS}`);
    for (const [tlbEntries, slice] of [[undefined, 10_007], [undefined, 211], [2, 997]] as const) {
      const stress = tlbEntries === undefined ? {} : { tlbEntries };
      assertEquals(run({ tier: "regions", stress }, code, data, slice), expected, `case ${i}: ${code}`);
    }
  }
});
