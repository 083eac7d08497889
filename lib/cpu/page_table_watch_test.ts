import { assert, assertEquals } from "@std/assert";
import { Random } from "../../scripts/lib/random.ts";
import { TIERS } from "./options.ts";
import { CR0, CR4, R, S } from "./state.ts";
import { mapFrames, testBoard } from "./test_board.ts";

/**
 * mov ecx,100; L: mov eax,0x10000; mov cr3,eax; add bl,[0x5000]; mov eax,0x11000; mov cr3,eax; add bh,[0x5000]; dec ecx;
 * jnz L; hlt
 */
const TURNS = [
  ...[0xb9, 100, 0, 0, 0, 0xb8, 0, 0, 1, 0, 0x0f, 0x22, 0xd8, 0x02, 0x1d, 0, 0x50, 0, 0],
  ...[0xb8, 0, 0x10, 1, 0, 0x0f, 0x22, 0xd8, 0x02, 0x3d, 0, 0x50, 0, 0, 0x49, 0x75, 0xe1, 0xf4],
];

/** Two address spaces with the same code; the page at 5000h is another one in the second. */
function twoSpaces(tier: typeof TIERS[number]) {
  const board = testBoard({ tier }), { cpu, memory } = board;
  board.load(0x1000, ...TURNS);
  board.load(0x5000, 1);
  board.load(0x6000, 2);
  for (const [directory, table] of [[0x1_0000, 0x1_2000], [0x1_1000, 0x1_3000]]) {
    mapFrames(memory, directory, table, 32);
  }
  memory.write32(0x1_3000 + 5 * 4, 0x6003);
  cpu.r.setNumber(S.CR3, 0x1_0000);
  cpu.r.setI32(S.CR0, cpu.r.i32(S.CR0) | CR0.PG);
  cpu.flushTlb();
  cpu.modeChanged();
  return board;
}

Deno.test("page tables that take turns: each shows its own pages, and translations are looked up without a walk", () => {
  for (const tier of TIERS) {
    const { cpu } = twoSpaces(tier);
    assertEquals(cpu.run(100_000), "halted", tier);
    assertEquals([cpu.r.get8(R.BX), cpu.r.get8(R.BX, true)], [100, 200], tier);
    assert(cpu.statistics["TLB misses"] < 20, `${tier}: ${cpu.statistics["TLB misses"]} misses`);
  }
});

Deno.test("page tables that take turns: an entry without its accessed bit is walked, which sets the bit", () => {
  const { cpu, memory } = twoSpaces("interpreter"), entry = 0x1_3000 + 5 * 4;
  cpu.run(5 + 8);
  memory.write32(entry, 0x6003);
  assertEquals(cpu.run(100_000), "halted");
  assertEquals(memory.read32(entry), 0x6023);
  assertEquals([cpu.r.get8(R.BX), cpu.r.get8(R.BX, true)], [100, 200]);
});

Deno.test("page tables that take turns: one that maps hundreds of addresses by tables of their own changes those that differ", () => {
  for (const tier of TIERS) {
    const { cpu, memory } = twoSpaces(tier);
    cpu.run(5 + 8);
    // Both directories map 4 MiB stretches from 400000h on, the second one half of them elsewhere.
    for (const [directory, other] of [[0x1_0000, 0], [0x1_1000, 1]]) {
      for (let i = 1; i < 300; i++) {
        memory.write32(directory + 4 * i, (other !== 0 && i % 2 !== 0 ? 0x1_5000 : 0x1_4000) | 3);
      }
    }
    for (let page = 0; page < 1024; page++) {
      memory.write32(0x1_4000 + 4 * page, 0x7003);
      memory.write32(0x1_5000 + 4 * page, 0x8003);
    }
    memory.write32(0x7000, 7);
    memory.write32(0x8000, 8);
    const read = () => Array.from({ length: 299 }, (_, i) => cpu.read32((i + 1) * 0x40_0000));
    const enter = (directory: number) => {
      const old = cpu.r.number(S.CR3);
      cpu.r.setNumber(S.CR3, directory);
      cpu.switchPageTables(old);
    };
    for (let turn = 0; turn < 3; turn++) {
      enter(0x1_0000);
      assertEquals(new Set(read()), new Set([7]));
      enter(0x1_1000);
      assertEquals(read(), Array.from({ length: 299 }, (_, i) => i % 2 === 0 ? 8 : 7));
    }
  }
});

Deno.test("page tables: an entry that is filled, emptied and filled again shows its page at once", () => {
  // mov [entry], value
  const write = (value: number) => [0xc7, 0x05, 0x50, 0x20, 1, 0, value & 0xff, value >> 8, 0, 0];
  // add bl, [14000h]; and bh
  const addLow = [0x02, 0x1d, 0, 0x40, 1, 0], addHigh = [0x02, 0x3d, 0, 0x40, 1, 0];
  const round = [...write(0x5003), ...addLow, ...write(0), ...write(0x6003), ...addHigh, ...write(0), 0x49];
  for (const tier of TIERS) {
    const { cpu, memory, load } = twoSpaces(tier);
    memory.write32(0x1_2050, 0);
    load(0x1000, ...round, 0x75, -(round.length + 2) & 0xff, 0xf4);
    cpu.r.set32(R.CX, 100);
    assertEquals(cpu.run(100_000), "halted", tier);
    assertEquals([cpu.r.get8(R.BX), cpu.r.get8(R.BX, true)], [100, 200], tier);
  }
});

Deno.test("page tables: a table that nothing leads to any more is written to like other memory, until something does again", () => {
  const POINTERS = 0x1_0000, DIRECTORIES = [0x1_1000, 0x1_2000], TABLES = [0x1_3000, 0x1_4000];
  for (const tier of TIERS) {
    const { cpu, memory, load } = testBoard({ tier });
    // mov ecx,100; L: inc dword [11008h]; dec ecx; jnz L; hlt
    load(0x1000, 0xb9, 100, 0, 0, 0, 0xff, 0x05, 0x08, 0x10, 1, 0, 0x49, 0x75, 0xf7, 0xf4);
    const map = (table: number, entry: number, to: number) => memory.write32(table + 8 * entry, to | 3);
    map(POINTERS, 0, DIRECTORIES[0] & ~2);
    for (const space of [0, 1]) {
      map(DIRECTORIES[space], 0, TABLES[space]);
      for (let page = 0; page < 32; page++) map(TABLES[space], page, page * 4096);
      map(TABLES[space], 20, (5 + space) * 4096);
      memory.write32((5 + space) * 4096, 5 + space);
    }
    cpu.r.setNumber(S.CR3, POINTERS);
    cpu.r.setI32(S.CR4, cpu.r.i32(S.CR4) | CR4.PAE);
    cpu.r.setI32(S.CR0, cpu.r.i32(S.CR0) | CR0.PG);
    cpu.flushTlb();
    cpu.modeChanged();
    const read = () => cpu.read32(20 * 4096);
    const lead = (space: number) => memory.write32(POINTERS, DIRECTORIES[space] | 1);
    assertEquals(read(), 5, tier);
    lead(1);
    assertEquals(read(), 6, tier);
    // Present entries of what was a directory, of addresses that another one maps.
    memory.write32(DIRECTORIES[0] + 8, 1);
    assertEquals(cpu.run(100_000), "halted", tier);
    assertEquals(memory.read32(DIRECTORIES[0] + 8), 101, tier);
    lead(0);
    assertEquals(read(), 5, tier);
    memory.write32(DIRECTORIES[0], TABLES[1] | 3);
    assertEquals(read(), 6, tier);
  }
});

Deno.test("page tables: code that goes on in the next page, or in the middle of an instruction, goes on where that is now", () => {
  // inc ebx, 15 or 16 times up to the page's end; mov edx, 10203h, perhaps across it; inc ebx; dec ecx; jnz to the start; hlt
  const tail = (jump: number) => [0x43, 0x49, 0x75, jump & 0xff, 0xf4];
  for (const tier of TIERS) {
    for (const across of [0, 2]) {
      const { cpu, memory, load } = testBoard({ tier }), ahead = 16 - across, move = [0xba, 3, 2, 1, 0];
      load(0x2000 - 16, ...new Array<number>(ahead).fill(0x43), ...move, ...tail(-(ahead + 9)));
      // The other second page: mov edx, another number or its other half; dec ebx.
      const other = [...move.slice(0, across), ...move.slice(across).map((byte) => byte ^ 0x40)];
      if (across === 0) other[0] = 0xba;
      load(0x6000, ...other.slice(across), 0x4b, ...tail(-(ahead + 9)).slice(1));
      mapFrames(memory, 0x1_0000, 0x1_1000, 32);
      cpu.r.setNumber(S.CR3, 0x1_0000);
      cpu.r.setI32(S.CR0, cpu.r.i32(S.CR0) | CR0.PG);
      cpu.flushTlb();
      cpu.modeChanged();
      const run = () => {
        cpu.r.ip = 0x2000 - 16;
        cpu.r.setI32(S.HALTED, 0);
        cpu.r.set32(R.CX, 50);
        cpu.r.set32(R.BX, 0);
        assertEquals(cpu.run(100_000), "halted", tier);
        return [cpu.r.get32(R.BX), cpu.r.get32(R.DX)];
      };
      const here = [50 * (ahead + 1), 0x1_0203], there = [50 * (ahead - 1), across === 0 ? 0x4041_4243 : 0x4041_4203];
      assertEquals(run(), here, tier);
      // From now on both pages are known when the code is translated.
      cpu.forgetCode();
      assertEquals(run(), here, tier);
      memory.write32(0x1_1000 + 2 * 4, 0x6003);
      assertEquals(run(), there, tier);
      memory.write32(0x1_1000 + 2 * 4, 0x2003);
      assertEquals(run(), here, tier);
    }
  }
});

Deno.test("page tables that take turns: what is remembered of others counts only as long as they say so", () => {
  const { cpu, memory } = testBoard(), PAGES = 24, FRAMES = 64, spaces = [0, 1, 2];
  const directory = (space: number) => 0x10_0000 + space * 0x3000, table = (space: number) => directory(space) + 0x1000;
  // Each space has two tables, the second one for 400000h on; frame n begins with the number n.
  const mapped = spaces.map(() => new Int32Array(2 * PAGES));
  for (let frame = 1; frame < FRAMES; frame++) memory.write32(frame << 12, frame);
  const map = (space: number, page: number, frame: number) => {
    const first = memory.read32(directory(space) + (page < PAGES ? 0 : 4)) & 0xffff_f000;
    memory.write32(first + 4 * (page % PAGES), (frame << 12) | (frame === 0 ? 0 : 0x67));
    mapped[space][page] = frame;
  };
  const random = new Random(1), draw = (count: number) => random.below(count);
  for (const space of spaces) {
    memory.write32(directory(space), table(space) | 0x67);
    memory.write32(directory(space) + 4, (table(space) + 0x1000) | 0x67);
    for (let page = 0; page < 2 * PAGES; page++) map(space, page, 1 + draw(FRAMES - 1));
  }
  cpu.r.setNumber(S.CR3, directory(0));
  cpu.r.setI32(S.CR0, cpu.r.i32(S.CR0) | CR0.PG);
  cpu.flushTlb();
  cpu.modeChanged();
  for (let turn = 0, space = 0; turn < 2000; turn++) {
    for (let i = draw(6); i > 0; i--) {
      const page = draw(2 * PAGES), frame = mapped[space][page];
      const linear = page < PAGES ? page << 12 : 0x40_0000 + ((page - PAGES) << 12);
      if (frame !== 0) assertEquals(cpu.read32(linear, draw(2) === 0), frame, `turn ${turn}, page ${page}`);
    }
    if (draw(8) === 0) map(draw(spaces.length), draw(2 * PAGES), draw(FRAMES));
    if (draw(60) === 0) {
      // The two tables of a space change places.
      const other = draw(spaces.length), at = directory(other), first = memory.read32(at);
      memory.write32(at, memory.read32(at + 4));
      memory.write32(at + 4, first);
      const pages = mapped[other].slice();
      mapped[other].set(pages.subarray(PAGES));
      mapped[other].set(pages.subarray(0, PAGES), PAGES);
    }
    const old = cpu.r.number(S.CR3);
    cpu.r.setNumber(S.CR3, directory(space = draw(spaces.length)));
    cpu.switchPageTables(old);
  }
});

Deno.test("page tables: an instruction in two pages takes its end from the page that is there now, in every tier", () => {
  for (const tier of TIERS) {
    const { cpu, memory, load } = testBoard({ tier }), { r } = cpu, table = 0x1_1000;
    mapFrames(memory, 0x1_0000, table, 32);
    // 1000h: JMP 1FFEh; there MOV EAX, imm32 (its last three bytes in the next page); DEC ECX; JNZ 1000h; HLT.
    load(0x1000, 0xe9, 0xf9, 0x0f, 0, 0);
    load(0x1ffe, 0xb8, 0x42);
    for (const [frame, byte] of [[0x2000, 1], [0x6000, 2]]) {
      load(frame, byte, 0, 0, 0x49, 0x0f, 0x85, 0xf6, 0xef, 0xff, 0xff, 0xf4);
    }
    r.setNumber(S.CR3, 0x1_0000);
    r.setI32(S.CR0, r.i32(S.CR0) | CR0.PG);
    cpu.flushTlb();
    cpu.modeChanged();
    for (const [frame, byte] of [[0x2000, 1], [0x6000, 2], [0x2000, 1], [0x6000, 2]]) {
      memory.write32(table + 4 * 2, frame | 3);
      r.ip = 0x1000;
      r.set32(R.CX, 20_000);
      r.setI32(S.HALTED, 0);
      assertEquals([cpu.run(1), cpu.run(4)], ["budget", "budget"], tier);
      assertEquals(r.get32(R.AX), byte << 8 | 0x42, `${tier}, ${frame}`);
      assertEquals(cpu.run(1_000_000), "halted", tier);
      assertEquals(r.get32(R.AX), byte << 8 | 0x42, `${tier}, ${frame}`);
    }
  }
});

Deno.test("page tables: code that stays is found again after a change elsewhere, and code that does not is not, in every tier", () => {
  for (const tier of TIERS) {
    const { cpu, memory, load } = testBoard({ tier }), { r } = cpu, table = 0x1_1000, random = new Random(1);
    mapFrames(memory, 0x1_0000, table, 32);
    load(0x1000, 0xe9, 0xfb, 0x3f, 0, 0);
    // Page 5: MOV EAX, imm32; JMP over nothing; INC EAX; JMP 3000h. Page 3: HLT.
    for (const [frame, byte] of [[0x5000, 1], [0x6000, 11]]) {
      load(frame, 0xb8, byte, 0, 0, 0, 0xeb, 0, 0x40, 0xe9, 0xf3, 0xdf, 0xff, 0xff);
    }
    for (const frame of [0x3000, 0x7000]) load(frame, 0xf4);
    r.setNumber(S.CR3, 0x1_0000);
    r.setI32(S.CR0, r.i32(S.CR0) | CR0.PG);
    cpu.flushTlb();
    cpu.modeChanged();
    let code = 0x5000;
    for (let turn = 0; turn < 200; turn++) {
      if (random.oneIn(3)) memory.write32(table + 4 * 5, (code = random.pick([0x5000, 0x6000])) | 3);
      if (random.oneIn(2)) memory.write32(table + 4 * 3, random.pick([0x3000, 0x7000]) | 3);
      r.ip = 0x1000;
      r.setI32(S.HALTED, 0);
      assertEquals(cpu.run(1000), "halted", tier);
      assertEquals(r.get32(R.AX), code === 0x5000 ? 2 : 12, `${tier}, turn ${turn}`);
    }
  }
});

Deno.test("page tables: a frame may be written to at once when nothing stems from its tables any more", () => {
  const { cpu, memory } = twoSpaces("interpreter"), table = 0x1_4000, linear = 0x40_0000;
  memory.write32(0x1_0004, table | 3);
  memory.write32(table, 0x7003);
  assertEquals([cpu.hostWrite(table), cpu.hostRead(linear)], [table, 0x7000]);
  assertEquals(cpu.hostWrite(table), -1);
  memory.write32(table, 0);
  assertEquals(cpu.hostWrite(table), table);
  memory.write32(table, 0x8003);
  assertEquals([cpu.hostRead(linear), cpu.hostWrite(table)], [0x8000, -1]);
});
