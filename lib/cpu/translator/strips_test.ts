/** Strips of loops: what is found, and that random loops through memory do the same in every way. */
import { assert, assertEquals } from "@std/assert";
import { Random } from "../../../scripts/lib/random.ts";
import { PAGE_SIZE } from "../../machine/memory.ts";
import type { CpuOptions } from "../options.ts";
import { CR0, CR4, R, S } from "../state.ts";
import { dword, mapFrames, testBoard } from "../test_board.ts";
import { RegionGraph } from "./region_graph.ts";
import { RegisterFlow } from "./register_flow.ts";
import { findStrips, type StripLoop } from "./strips.ts";
import { FLAT, regionCode } from "./test_code.ts";

function loopsIn(...hex: string[]): { region: RegionGraph; loops: StripLoop[] } {
  const region = new RegionGraph(regionCode(Uint8Array.fromHex(hex.join("")))!.blocks);
  return { region, loops: findStrips(region, new RegisterFlow(region), FLAT) };
}

function streamsIn(...hex: string[]): unknown[] {
  return loopsIn(...hex).loops.flatMap(({ streams }) =>
    streams.map(({ base, index, step, low, bytes, writes }) => ({ base, index, step, low, bytes, writes }))
  );
}

const COPY = [
  "8b06", //       0: mov eax, [esi]
  "83c604", //     2: add esi, 4
  "47", //         5: inc edi
  "8944_8f_08".replaceAll("_", ""), // 6: mov [edi+ecx*4+8], eax
  "49", //        10: dec ecx
  "75f3", //      11: jnz 0
  "c3", //        13: ret
];

Deno.test("findStrips: registers that move by the same step in every round make streams of a few rounds", () => {
  assertEquals(streamsIn(...COPY), [
    { base: R.SI, index: -1, step: 16, low: 0, bytes: 16, writes: false },
    { base: R.DI, index: R.CX, step: -12, low: 0, bytes: 13, writes: true },
  ]);
});

Deno.test("findStrips: a step that depends on the way through the loop makes none", () => {
  const found = streamsIn(
    "8b06", //   0: mov eax, [esi]
    "a801", //   2: test al, 1
    "7403", //   4: jz 9
    "83c604", // 6: add esi, 4
    "46", //     9: inc esi
    "49", //    10: dec ecx
    "75f3", //  11: jnz 0
    "c3", //    13: ret
  );
  assertEquals(found, []);
});

Deno.test("findStrips: a loop with a call has none", () => {
  assertEquals(streamsIn("8b06", "46", "e806000000", "49", "75f5", "c3", "c3", "c3"), []);
});

Deno.test("findStrips: the fewest instructions of a round are those of the shortest way", () => {
  const { loops } = loopsIn(
    "8a06", //  0: mov al, [esi]
    "46", //    2: inc esi
    "a801", //  3: test al, 1
    "7402", //  5: jz 9
    "4040", //  7: inc eax, twice
    "49", //    9: dec ecx
    "75f4", // 10: jnz 0
    "c3", //   12: ret
  );
  assertEquals(loops.map(({ shortest }) => shortest), [6]);
});

const SEARCH = [
  "8a06", //  0: mov al, [esi]
  "46", //    2: inc esi
  "3ce8", //  3: cmp al, 0e8h
  "75f9", //  5: jnz 0
  "8b1b", //  7: mov ebx, [ebx]
  "0313", //  9: add edx, [ebx]
  "8913", // 11: mov [ebx], edx
  "49", //   13: dec ecx
  "75f0", // 14: jnz 0
  "c3", //   16: ret
];

Deno.test("findStrips: one way round a loop may have strips where all ways together may not", () => {
  const { loops } = loopsIn(...SEARCH);
  assertEquals(loops.map(({ nodes, shortest }) => [nodes.length, shortest / 4]), [[1, 4]]);
});

Deno.test("findStrips: not one way alone where a jump picks it", () => {
  const bytes = Uint8Array.fromHex([
    "8a06", //    0: mov al, [esi]
    "46", //      2: inc esi
    "ffe7", //    3: jmp edi
    "41", //      5: inc ecx
    "ebf8", //    6: jmp 0
    "8b1b", //    8: mov ebx, [ebx]
    "0313", //   10: add edx, [ebx]
    "8913", //   12: mov [ebx], edx
    "ebf0", //   14: jmp 0
  ].join(""));
  const region = new RegionGraph(regionCode(bytes, 0, { indirectTargets: () => [5, 8] })!.blocks);
  assertEquals(region.analysis.headers.size, 1);
  assertEquals(findStrips(region, new RegisterFlow(region), FLAT), []);
});

Deno.test("RegionGraph: rounds of a strip go on at its gate, others at its entry", () => {
  const { region, loops } = loopsIn(...COPY), { blocks } = region;
  const graph = new RegionGraph(blocks, loops),
    node = graph.nodeAt(0)!,
    entry = graph.edge(node, 0)!.target;
  const { header, gate } = graph.strip(entry)!, rounds = [header];
  for (let next = header; (next = graph.edge(next, 0)!.target) !== gate;) rounds.push(next);
  assertEquals(rounds, [header, header + 1, header + 2, header + 3]);
  assertEquals(new Set(rounds.map((node) => graph.edge(node, 13)!.target)), new Set([graph.nodeAt(13)]));
  assertEquals(graph.graph.successors[entry].map(({ target }) => target), [node, header]);
  assertEquals(graph.graph.successors[gate].map(({ target }) => target), [header, entry]);
  assertEquals(graph.graph.dispatches.size, 0);
  assert(graph.block(header)!.instructions[0] !== blocks[0].instructions[0]);
});

// ---- random code

const CODE = 0x10000, DATA = 0x18000, STACK_TOP = 0x21010, TABLES = 0x30000, CASES = 50, INSTRUCTIONS = 2500;
const EAX = 0, ECX = 1, EDX = 2, EBX = 3, EBP = 5, ESI = 6, EDI = 7;
const random = new Random(512);

/** ModRM and what follows for an operand that is somewhere in memory. */
function place(register: number): number[] {
  const distance = (random.below(17) - 8) * random.pick([4, 4, 1]) & 0xff;
  switch (random.below(4)) {
    case 0:
      return [0x44 | register << 3, random.below(2) << 6 | EDX << 3 | EBX, distance];
    case 1:
      return [0x44 | register << 3, 0x24, distance & 0x3c];
    default:
      return [0x40 | random.pick([ESI, ESI, EDI, EBX]) | register << 3, distance];
  }
}

/** Puts a byte into a register. */
function byteIn(register: number): number[] {
  return random.oneIn(3) ? [0x83, 0xe0 | register, 0x7f] : [0x0f, 0xb6, ...place(register)];
}

/** Instructions that leave ECX alone; registers of addresses move by little. */
const KINDS: readonly (() => number[])[] = [
  () => [0x8b, ...place(random.pick([EAX, EBP]))],
  () => [0x89, ...place(random.pick([EAX, EBP]))],
  () => [0x88, ...place(EAX)],
  () => [0x0f, random.pick([0xb6, 0xbf]), ...place(EBP)],
  () => [random.pick([0x01, 0x03, 0x33, 0x3b, 0x85, 0x11, 0x13]), ...place(EAX)],
  () => [0xff, ...place(random.pick([0, 1]))],
  () => [0x0f, random.pick([0x10, 0x11]), ...place(random.below(2))],
  () => [random.pick([0x66, 0xf2]), 0x0f, random.pick([0x10, 0x11]), ...place(random.below(2))],
  () => [0xdd, ...place(0), 0xdd, ...place(3)],
  () => [0x83, 0xc0 | random.pick([ESI, EDI, EBX]), (random.below(9) - 4) * random.pick([1, 4, 8]) & 0xff],
  () => [0x40 | random.pick([0, 8]) | random.pick([ESI, EDI, EDX])],
  () => [0x8d, 0x40 | ESI | ESI << 3, random.pick([4, 8, 0xfc])],
  () => [0x89, 0xc0 | ESI << 3 | EBX],
  () => [0x50 | EAX, 0x58 | EBP],
  // Tables whose index is a byte: [EBX+EBP*4+distance] and [EBP+address].
  () => [...byteIn(EBP), random.pick([0x03, 0x01, 0x33]), 0x44, random.pick([0x80, 0x00]) | EBP << 3 | EBX, 4],
  () => [...byteIn(EBP), random.pick([0x02, 0x00]), 0x85, ...dword(DATA + PAGE_SIZE * random.below(4) - 200)],
  () => [random.pick([0x01, 0x31, 0x29, 0x11]), 0xc0 | EBP << 3 | EAX],
];
/** Walks that change nothing in memory: through code and page tables, too. */
const NOWHERE: readonly (() => number[])[] = [
  () => [0x83, 0x48 | random.pick([ESI, EDI]), 4 * random.below(4), 0],
  () => [0x8b, 0x40 | ESI | EAX << 3, 4],
  () => [0x83, 0xc0 | ESI, random.pick([4, 8, 64, 0xfc])],
  () => [0x47],
];

/** Loops after one another, of up to so many rounds, begun again and again at other places. */
function program(): number[] {
  const code: number[] = [];
  for (let loops = 1 + random.below(3); loops > 0; loops--) {
    const anywhere = random.oneIn(4), kinds = anywhere ? NOWHERE : KINDS, room = anywhere ? 0x1000 : 0x2000;
    const base = () => anywhere ? random.pick([CODE, TABLES]) : DATA + PAGE_SIZE * random.below(4) - 64;
    for (const register of [ESI, EDI, EBX]) code.push(0xb8 | register, ...dword(base() + random.below(256)));
    code.push(0xb8 | EDX, ...dword(random.below(64)));
    code.push(0xb8 | ECX, ...dword(1 + random.below(room / 128)));
    const start = code.length;
    for (let left = 2 + random.below(7); left > 0; left--) {
      const instruction = random.pick(kinds)();
      if (random.oneIn(5)) code.push(0xa8, 1 << random.below(3), 0x74, instruction.length);
      code.push(...instruction);
      // Another way round the loop.
      if (random.oneIn(8)) {
        code.push(0xa8, 1 << random.below(3), 0x75, 8, 0x49, 0x0f, 0x85);
        code.push(...dword(start - code.length - 4), 0x41);
      }
    }
    if (random.oneIn(4)) code.push(0x3d, ...dword(random.below(5)), 0x74, 7);
    code.push(0x49, 0x0f, 0x85);
    code.push(...dword(start - code.length - 4));
  }
  code.push(0xe9);
  code.push(...dword(-code.length - 4));
  return code;
}

/** All that some instructions leave that are run in slices; `mapped`: with paging on. */
function run(
  options: CpuOptions,
  code: readonly number[],
  mapped: boolean,
  slice: number,
  instructions = INSTRUCTIONS,
): string[] {
  const { cpu, memory } = testBoard(options), { r } = cpu, out = new Uint8Array(0x30000);
  memory.write(
    DATA - 4 * PAGE_SIZE,
    Uint8Array.from({ length: 8 * PAGE_SIZE }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24),
  );
  memory.write(CODE, new Uint8Array(code));
  if (mapped) {
    mapFrames(memory, TABLES, TABLES + PAGE_SIZE, 1024);
    // The pages of the data lie in memory in another order.
    for (let page = 0; page < 8; page++) {
      const entry = TABLES + PAGE_SIZE + 4 * ((DATA >> 12) - 4 + page);
      memory.write32(entry, DATA - 4 * PAGE_SIZE + (page * 3 & 7) * PAGE_SIZE + 3);
    }
    r.setNumber(S.CR3, TABLES);
    r.setI32(S.CR0, r.i32(S.CR0) | CR0.PG);
  }
  r.setI32(S.CR4, CR4.OSFXSR);
  r.setI32(S.GPR + 8 * R.SP, STACK_TOP);
  r.ip = CODE;
  cpu.modeChanged();
  for (let left = instructions; left > 0; left -= slice) cpu.run(Math.min(slice, left));
  memory.read(0x10000, out);
  const registers = Array.from({ length: 8 }, (_, i) => `${r.i32(S.GPR + 8 * i)}`);
  const sum = out.reduce((sum, byte) => Math.imul(sum ^ byte, 0x01000193), 0);
  return [`${r.ip}`, `${cpu.instructions}`, ...registers, `${sum}`];
}

Deno.test("strips: pages that were only read become dirty when they are written", () => {
  const walk = (...body: number[]) => [
    ...[0xb8 | ESI, ...dword(DATA - 3 * PAGE_SIZE), 0xb8 | ECX, ...dword(3 * PAGE_SIZE / 4)],
    ...[...body, 0x83, 0xc6, 4, 0x49, 0x75, 0xf8],
  ];
  // mov eax, [esi] and mov [esi], eax
  const code = [...walk(0x8b, 0x06), ...walk(0x89, 0x06), 0xeb, 0xfe];
  for (const slice of [10_007, 13_001]) {
    assertEquals(
      run({ tier: "regions" }, code, true, slice, 20_000),
      run({ tier: "interpreter" }, code, true, slice, 20_000),
    );
  }
});

Deno.test("strips: random loops through memory do the same in regions as in the interpreter", () => {
  for (let i = 0; i < CASES; i++) {
    const code = program(), mapped = !random.oneIn(4), expected = run({ tier: "interpreter" }, code, mapped, 10_007);
    for (const [tlbEntries, slice] of [[undefined, 10_007], [undefined, 211], [2, 997]] as const) {
      const stress = tlbEntries === undefined ? {} : { tlbEntries };
      assertEquals(run({ tier: "regions", stress }, code, mapped, slice), expected, `case ${i}: ${code}`);
    }
  }
});
