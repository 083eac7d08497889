/** Groups of accesses: what is found, and that random code on a stack near the end of a page does the same in every way. */
import { assertEquals } from "@std/assert";
import { Random } from "../../../scripts/lib/random.ts";
import { PAGE_SIZE } from "../../machine/memory.ts";
import type { CpuOptions } from "../options.ts";
import { CR0, CR4, S } from "../state.ts";
import { mapFrames, testBoard } from "../test_board.ts";
import { AccessGroups, STACK } from "./access_groups.ts";
import { RegionGraph } from "./region_graph.ts";
import { RegisterFlow } from "./register_flow.ts";
import { FLAT, regionCode } from "./test_code.ts";

/** The groups of 32-bit code, by the addresses of the accesses: distances from the beginning of their group. */
function groupsIn(...hex: string[]): Map<number, number> {
  return splitGroupsIn(new Map(), ...hex);
}

/** The same where groups have failed before. */
function splitGroupsIn(split: ReadonlyMap<number, number>, ...hex: string[]): Map<number, number> {
  const { blocks } = regionCode(Uint8Array.fromHex(hex.join("")))!, region = new RegionGraph(blocks);
  const groups = new AccessGroups(region, new RegisterFlow(region), FLAT, split);
  const found = new Map<number, number>();
  for (const current of blocks.flatMap(({ instructions }) => instructions)) {
    for (const operand of [0, 1, STACK]) {
      const access = groups.of(current, operand);
      if (access) found.set(current.ip, access.at - access.group.low);
    }
  }
  return found;
}

Deno.test("AccessGroups: the stack pointer is followed through pushes, pops and additions", () => {
  const found = groupsIn(
    "50", //         0: push eax
    "53", //         1: push ebx
    "83ec10", //     2: sub esp, 16
    "8b442410", //   5: mov eax, [esp+16]
    "8d6c2404", //   9: lea ebp, [esp+4]
    "894504", //    13: mov [ebp+4], eax
    "59", //        16: pop ecx
    "c3", //        17: ret
  );
  assertEquals([...found], [[0, 20], [1, 16], [5, 16], [13, 8], [16, 0], [17, 4]]);
});

Deno.test("AccessGroups: nothing holds over a call, and not where ways meet that change a register", () => {
  const found = groupsIn(
    "8b442404", //   0: mov eax, [esp+4]
    "e800000000", // 4: call 9
    "8b442404", //   9: mov eax, [esp+4]
    "7401", //      13: jz 16
    "50", //        15: push eax
    "8b442408", //  16: mov eax, [esp+8]
    "c3", //        20: ret
  );
  assertEquals([...found], [[0, 8], [4, 0], [9, 8], [15, 0], [16, 8], [20, 0]]);
});

Deno.test("AccessGroups: static variables make a group within a page", () => {
  const found = groupsIn(
    "a1f80f0000", //   0: mov eax, [0ff8h]
    "a3fc0f0000", //   5: mov [0ffch], eax
    "a300100000", //  10: mov [1000h], eax
    "f4", //          15: hlt
  );
  assertEquals([...found], [[0, 0], [5, 4]]);
});

Deno.test("AccessGroups: entries of a table whose index is a byte belong to the group of its first one", () => {
  const found = groupsIn(
    "0fb606", //   0: movzx eax, byte [esi]
    "331483", //   3: xor edx, [ebx+eax*4]
    "0fb6c2", //   6: movzx eax, dl
    "89d1", //     9: mov ecx, edx
    "330c83", //  11: xor ecx, [ebx+eax*4]
    "330c8b", //  14: xor ecx, [ebx+ecx*4]
    "f4", //      17: hlt
  );
  assertEquals([...found], [[3, 0], [11, 0]]);
});

Deno.test("AccessGroups: vectors and numbers of the x87 unit belong to groups, too", () => {
  const found = groupsIn(
    "0f280424", //         0: movaps xmm0, [esp]
    "dd442410", //         4: fld qword [esp+16]
    "f20f11442418", //     8: movsd [esp+24], xmm0
    "d95c2420", //        14: fstp dword [esp+32]
    "f4", //              18: hlt
  );
  assertEquals([...found], [[0, 0], [4, 16], [8, 24], [14, 32]]);
});

Deno.test("AccessGroups: a group that has failed is divided where the page ends", () => {
  const code = [
    "8b442404", //  0: mov eax, [esp+4]
    "8b4c2408", //  4: mov ecx, [esp+8]
    "8b54240c", //  8: mov edx, [esp+12]
    "8b5c2410", // 12: mov ebx, [esp+16]
    "f4", //       16: hlt
  ];
  assertEquals([...groupsIn(...code)], [[0, 0], [4, 4], [8, 8], [12, 12]]);
  // The first one lay at ff8h, so the third one lies in the next page.
  assertEquals([...splitGroupsIn(new Map([[0, 0xff8]]), ...code)], [[0, 0], [4, 4], [8, 0], [12, 4]]);
  assertEquals([...splitGroupsIn(new Map([[12, 0xffc]]), ...code)], [[0, 0], [4, 4], [8, 8], [12, 12]]);
});

// ---- random code

const CODE = 0x10000, FUNCTION = 0x10800, STATIC = 0x14ff0, STACK_TOP = 0x21010, TABLES = 0x30000, CASES = 40;
const EAX = 0, EDX = 2, EBX = 3, ESI = 6;
const random = new Random(4096);

/** ModRM and what follows for a variable on the stack, or a static one; EBP points to somewhere near ESP. */
function variable(register: number): number[] {
  const distance = (random.below(24) - 4) * pickSize() & 0xff;
  switch (random.below(4)) {
    case 0:
      return [0x45 | register << 3, distance];
    case 1: {
      const address = STATIC + random.below(32);
      return [0x05 | register << 3, address & 0xff, address >> 8 & 0xff, address >> 16, 0];
    }
    default:
      return [0x44 | register << 3, 0x24, distance];
  }
}

function pickSize(): number {
  return random.pick([4, 4, 4, 1]);
}

function someRegister(): number {
  return random.pick([EAX, EDX, EBX, ESI]);
}

/** Instructions that leave ECX alone, and ESP and EBP where the stack is. */
const KINDS: readonly (() => number[])[] = [
  () => [0x8b, ...variable(someRegister())],
  () => [0x89, ...variable(someRegister())],
  () => [random.pick([0x01, 0x03, 0x29, 0x33, 0x3b, 0x85, 0x87]), ...variable(someRegister())],
  () => [0xff, ...variable(random.pick([0, 1]))],
  () => [0x0f, 0xb6, ...variable(someRegister())],
  () => [0xff, ...variable(6)],
  () => [0x50 | someRegister()],
  () => [0x58 | someRegister()],
  () => [0x6a, random.below(128)],
  () => [0x83, random.pick([0xc4, 0xec]), 4 * random.below(4)],
  () => [0x8d, 0x64, 0x24, (4 * (random.below(9) - 4)) & 0xff],
  () => [0x89, 0xe5],
  () => [0x8d, 0x6c, 0x24, 4 * random.below(8)],
  () => [random.pick([0x44, 0x4c])],
  () => [0x8f, 0x44, 0x24, 4 * random.below(8)],
  () => [0xe6, 0x80],
  () => [0xc8, 8, 0, 0, 0xc9, 0x89, 0xe5],
  () => [0x0f, random.pick([0x10, 0x11]), ...variable(random.below(2))],
  () => [random.pick([0x66, 0xf2, 0xf3]), 0x0f, random.pick([0x10, 0x11]), ...variable(random.below(2))],
  () => [0x66, 0x0f, random.pick([0x12, 0x13, 0x16, 0x17, 0xd6]), ...variable(random.below(2))],
  () => [
    0x66,
    0x0f,
    random.pick([0x6f, 0x7f, 0xfe]),
    0x05,
    (STATIC & 0xff) + 16 * random.below(2),
    STATIC >> 8 & 0xff,
    1,
    0,
  ],
  () => [random.pick([0xd9, 0xdd]), ...variable(0), random.pick([0xd9, 0xdb, 0xdd]), ...variable(3)],
];

/** Instructions, some of which are jumped over in some rounds. */
function some(code: number[], count: number): void {
  for (let left = count; left > 0; left--) {
    const instruction = random.pick(KINDS)();
    if (random.oneIn(6)) code.push(0xf6, 0xc1, 1 << random.below(3), 0x74, instruction.length);
    code.push(...instruction);
  }
}

function relative(code: number[], to: number): number[] {
  return [...new Uint8Array(Int32Array.of(to - code.length - 4).buffer)];
}

/** A loop of some rounds, run again and again from a new place on the stack. */
function program(): { main: number[]; called: number[] } {
  const called: number[] = [], main: number[] = [], top = STACK_TOP - random.below(64);
  some(called, 1 + random.below(5));
  // Back from wherever the stack pointer is now: EDI keeps the place.
  called.unshift(0x89, 0xe7);
  called.push(0x89, 0xfc, 0xc3);
  main.push(0xbc, top & 0xff, top >> 8 & 0xff, top >> 16, 0, 0x89, 0xe5, 0xb9, 12, 0, 0, 0);
  const start = main.length;
  some(main, 4 + random.below(16));
  if (random.oneIn(2)) {
    main.push(0xe8);
    main.push(...relative(main, FUNCTION - CODE));
    some(main, 4);
  }
  main.push(0x49, 0x0f, 0x85);
  main.push(...relative(main, start));
  main.push(0xe9);
  main.push(...relative(main, 0));
  return { main, called };
}

/** All that `instructions` instructions leave; `mapped`: with paging on. */
function run(options: CpuOptions, { main, called }: ReturnType<typeof program>, mapped: boolean): string[] {
  const { cpu, memory } = testBoard(options), { r } = cpu, out = new Uint8Array(0x30000);
  memory.write(CODE, new Uint8Array(main));
  memory.write(FUNCTION, new Uint8Array(called));
  if (mapped) {
    mapFrames(memory, TABLES, TABLES + PAGE_SIZE, 1024);
    r.setNumber(S.CR3, TABLES);
    r.setI32(S.CR0, r.i32(S.CR0) | CR0.PG);
  }
  r.setI32(S.CR4, CR4.OSFXSR);
  r.ip = CODE;
  cpu.modeChanged();
  for (let left = 3000; left > 0; left -= 997) cpu.run(Math.min(997, left));
  memory.read(0x10000, out);
  const registers = Array.from({ length: 8 }, (_, i) => `${r.i32(S.GPR + 8 * i)}`);
  const written = [...out].flatMap((byte, i) => byte !== 0 ? [`${i}: ${byte}`] : []);
  return [`${r.ip}`, `${cpu.instructions}`, ...registers, ...written];
}

Deno.test("AccessGroups: random code on the stack does the same in regions as in the interpreter", () => {
  for (let i = 0; i < CASES; i++) {
    const code = program(), mapped = random.oneIn(2), expected = run({ tier: "interpreter" }, code, mapped);
    for (const tlbEntries of [undefined, 2]) {
      const stress = tlbEntries === undefined ? {} : { tlbEntries };
      assertEquals(
        run({ tier: "regions", stress }, code, mapped),
        expected,
        `case ${i}: ${code.main} / ${code.called}`,
      );
    }
  }
});
