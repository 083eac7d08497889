import { assert, assertEquals } from "@std/assert";
import { PAGE_SIZE } from "../../machine/memory.ts";
import { ModuleBuilder } from "../../wasm/mod.ts";
import { CPU_BASE, FRAMES, MEMORY_PAGES, ROOT_ENTRIES, TLB, TRANSLATIONS } from "../interpreter/layout.ts";
import { CR0, CR4, EFER, NO_PAGE, PAGE, S, USER_PAGES } from "../state.ts";
import { Random } from "../../../scripts/lib/random.ts";
import { type TestBoard, testBoard } from "../test_board.ts";
import { FORGET, forgetCode, TRANSLATE, translateCode, Translated } from "./mod.ts";

interface Kernels {
  translate(linear: bigint, write: number, mayFill: number): number;
  forget(host: number): number;
}

function kernels(memory: WebAssembly.Memory): Kernels {
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", MEMORY_PAGES);
  module.export("translate", module.function(TRANSLATE, translateCode()));
  module.export("forget", module.function(FORGET, forgetCode()));
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.toBytes()), { env: { memory } });
  return exports as unknown as Kernels;
}

/** Two sets of tables; each level has four of them. */
const ROOTS = [0x100, 0x101], LEVEL = 4, PAGES = 0x140;
const FORMATS = {
  "32-bit paging": { cr4: CR4.PSE, efer: 0, shifts: [22, 12], bits: 10, bytes: 4 },
  "PAE paging": { cr4: CR4.PAE, efer: 0, shifts: [30, 21, 12], bits: 9, bytes: 8 },
  "4-level paging": {
    cr4: CR4.PAE,
    efer: EFER.LMA | EFER.LME | EFER.NXE,
    shifts: [39, 30, 21, 12],
    bits: 9,
    bytes: 8,
  },
} as const;
type Format = typeof FORMATS[keyof typeof FORMATS];

/** The frame of a table: `number` counts those of a level. */
function tableFrame(level: number, number: number): number {
  return level === 0 ? ROOTS[number % ROOTS.length] : ROOTS[0] + LEVEL * level + number % LEVEL;
}

/** Which entry of a table, of few, that are at both ends of it; those of a page-directory-pointer table are four in PAE paging. */
function someIndex({ shifts, bits }: Format, level: number, random: Random): number {
  const entries = shifts.length === 3 && level === 0 ? 4 : 2 ** bits;
  const index = random.below(level === shifts.length - 1 ? 12 : 2);
  return index % 2 === 0 ? index : entries - index;
}

function someEntry(format: Format, level: number, random: Random): number {
  const { shifts } = format;
  const flags = shifts.length === 3 && level === 0 ? 1 : [0, 0x01, 0x05, 0x07, 0x27, 0x67, 0x67, 0x87][random.below(8)];
  const last = level === shifts.length - 1;
  const frame = last
    ? random.below(16) === 0 ? random.below(PAGES) : PAGES + random.below(64)
    : tableFrame(level + 1, random.below(LEVEL));
  return (frame * PAGE_SIZE) | (last ? flags & ~0x80 : flags);
}

function boardWith(format: Format): TestBoard {
  const board = testBoard(), { cpu, memory } = board, random = new Random(7);
  format.shifts.forEach((_, level) => {
    for (let table = 0; table < LEVEL; table++) {
      for (let i = 0; i < 40; i++) {
        const at = tableFrame(level, table) * PAGE_SIZE + someIndex(format, level, random) * format.bytes;
        memory.write32(at, someEntry(format, level, random));
      }
    }
  });
  cpu.r.setI32(S.CR4, format.cr4);
  cpu.r.setI32(S.EFER, format.efer);
  cpu.r.setNumber(S.CR3, ROOTS[0] * PAGE_SIZE);
  cpu.r.setNumber(S.CR0, (CR0.PE | CR0.PG) >>> 0);
  cpu.flushTlb();
  cpu.modeChanged();
  return board;
}

function someAddress(format: Format, random: Random): number {
  let linear = random.below(PAGE_SIZE / 4) * 4;
  format.shifts.forEach((shift, level) => linear += someIndex(format, level, random) * 2 ** shift);
  return linear >= 2 ** 47 ? linear - 2 ** 48 : linear;
}

/** All that is known about translations. */
function bookkeeping({ memory }: TestBoard): Int32Array[] {
  const frames = memory.frameFlags.length;
  const parts = [
    [TLB.SUPERVISOR, TLB.USER + (TLB.ENTRIES << TLB.ENTRY_SHIFT)],
    [TRANSLATIONS.PAGE, ROOT_ENTRIES.BASE + ROOT_ENTRIES.COUNT],
    [TRANSLATIONS.USED_COUNT, TRANSLATIONS.USED_COUNT + 8],
    [FRAMES.LEAF_USES, FRAMES.LEAF_USES + 4 * frames],
    [FRAMES.WRITERS, FRAMES.WRITERS + 2 * frames],
    [FRAMES.FLAGS, FRAMES.FLAGS + frames],
    [memory.front, memory.front + memory.bytes.length],
  ];
  return parts.map(([from, to]) => new Int32Array(memory.memory.buffer, from, (to - from) >> 2));
}

for (const [name, format] of Object.entries(FORMATS)) {
  Deno.test(`translations: compiled code fills and empties the TLB as TypeScript does, ${name}`, () => {
    const compiled = boardWith(format), plain = boardWith(format), both = [compiled, plain], random = new Random(3);
    const { translate, forget } = kernels(compiled.memory.memory);
    let filled = 0, forgotten = 0;
    for (let i = 1; i <= 8_000; i++) {
      const action = random.below(100);
      if (action < 75) {
        const linear = someAddress(format, random), write = random.below(2) === 0;
        const answer = translate(BigInt(linear), write ? 1 : 0, 1), allowed = plain.cpu.fill(linear, 4, write);
        if (answer === Translated.FILLED) filled++;
        if (answer === Translated.UNKNOWN) assertEquals(compiled.cpu.fill(linear, 4, write), allowed);
        else assertEquals(answer === Translated.FILLED, allowed, `${linear.toString(16)} ${write}`);
      } else if (action < 95) {
        const level = random.below(4) === 0 ? random.below(format.shifts.length) : format.shifts.length - 1;
        const host = tableFrame(level, random.below(LEVEL)) * PAGE_SIZE +
          someIndex(format, level, random) * format.bytes;
        const entry = someEntry(format, level, random), { memory } = compiled;
        plain.memory.write32(host, entry);
        // Compiled code asks only for frames that hold page tables; how often it lets TypeScript look differs for absent entries.
        const asks = memory.frameFlags[host >>> 12] !== 0 && (memory.view.getInt32(host, true) & 1) !== 0;
        if (asks && forget(host) !== 0) {
          forgotten++;
          memory.view.setInt32(host, entry, true);
        } else memory.write32(host, entry);
      } else {
        const root = ROOTS[random.below(2)] * PAGE_SIZE, cpl = random.below(2) * 3, flushes = random.below(50) === 0;
        const wp = random.below(2) === 0 ? CR0.WP : 0;
        for (const { cpu } of both) {
          const { r } = cpu, old = r.number(S.CR3);
          r.setNumber(S.CR3, root);
          cpu.switchPageTables(old);
          r.setI32(S.CPL, cpl);
          if (flushes) {
            r.setNumber(S.CR0, (CR0.PE | CR0.PG | wp) >>> 0);
            cpu.flushTlb();
          }
          cpu.modeChanged();
        }
      }
      if (i % 400 !== 0) continue;
      const expected = bookkeeping(plain);
      bookkeeping(compiled).forEach((part, index) => {
        const at = part.findIndex((word, place) => word !== expected[index][place]);
        assertEquals(at, -1, `part ${index} after ${i}: ${at.toString(16)}`);
      });
    }
    // TypeScript fills entries by PAE paging's four pointers.
    assertEquals(filled > 200, format.shifts.length !== 3, `${filled} filled`);
    assert(forgotten > 200, `${forgotten} forgotten`);
  });
}

Deno.test("translations: forgetting one makes regions look at the TLB again for its page, and for no other", () => {
  const board = boardWith(FORMATS["32-bit paging"]), { cpu, memory } = board, table = 0x11f;
  const { translate, forget } = kernels(memory.memory), view = new DataView(memory.memory.buffer, CPU_BASE);
  // 40000000h and 40001000h
  memory.write32(ROOTS[0] * PAGE_SIZE + 0x100 * 4, (table * PAGE_SIZE) | 0x27);
  for (const page of [0, 1]) memory.write32(table * PAGE_SIZE + 4 * page, ((PAGES + page) * PAGE_SIZE) | 0x67);
  for (const cpl of [0, 3]) {
    cpu.r.setI32(S.CPL, cpl);
    cpu.modeChanged();
    cpu.fill(0x4000_0000, 4, false);
    for (const page of [0, 1]) {
      const linear = 0x4000_0000 + page * PAGE_SIZE;
      translate(BigInt(linear), 1, 1);
      for (const number of [3 + page, 40 + page]) {
        view.setBigInt64(S.READ_PAGES + (cpl === 3 ? USER_PAGES : 0) + number * PAGE.SIZE, BigInt(linear), true);
        const masks = S.REMEMBERS + (cpl === 3 ? 8 : 0);
        view.setBigInt64(masks, view.getBigInt64(masks, true) | 1n << BigInt(number), true);
      }
    }
  }
  assertEquals(forget(table * PAGE_SIZE), 1);
  for (const user of [0, 1]) {
    const tags = [3, 4, 40, 41].map((number) =>
      view.getBigInt64(S.READ_PAGES + user * USER_PAGES + number * PAGE.SIZE, true)
    );
    assertEquals(tags, [NO_PAGE, 0x4000_1000n, NO_PAGE, 0x4000_1000n]);
    assertEquals(view.getBigInt64(S.REMEMBERS + 8 * user, true), 1n << 4n | 1n << 41n);
  }
});
