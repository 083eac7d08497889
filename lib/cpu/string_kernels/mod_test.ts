import { assertEquals } from "@std/assert";
import { Random } from "../../../scripts/lib/random.ts";
import { type CpuOptions, TIERS } from "../options.ts";
import { CR0, Flag, R, S, Seg, Vector } from "../state.ts";
import { mapFrames, testBoard } from "../test_board.ts";
import { gate, longBoard, ProtectedBoard, Sel } from "../system/test_tables.ts";

const DIRECTORY = 0x4_0000, TABLE = 0x4_1000;
/** The linear pages between which elements are moved, and the frames behind them. */
const FIRST_PAGE = 0x100, PAGES = 8, FIRST_FRAME = 0x80, FRAMES = 6;

/** Pages of all kinds: some absent, some read-only, some that share a frame. The supervisor keeps to their rights. */
function mapAtRandom(b: ProtectedBoard, next: (below: number) => number): void {
  mapFrames(b.board.memory, DIRECTORY, TABLE, 0x100);
  for (let i = 0; i < PAGES; i++) {
    const rights = next(10) === 0 ? 0 : next(10) === 0 ? 1 : 3;
    b.write32(TABLE + 4 * (FIRST_PAGE + i), ((FIRST_FRAME + next(FRAMES)) << 12) | rights);
  }
  b.gate(Vector.PF, gate(0x8e, Sel.CODE0, 0x9000));
  b.gate(Vector.GP, gate(0x8e, Sel.CODE0, 0x9000));
  b.board.load(0x9000, 0xf4);
  b.r.setNumber(S.CR3, DIRECTORY);
  b.r.setI32(S.CR0, b.r.i32(S.CR0) | CR0.PG | CR0.WP);
}

/** MOVSB, STOSB, SCASB and CMPSB; the word forms follow them. */
const OPCODES = [0xa4, 0xa4, 0xaa, 0xaa, 0xae, 0xa6];

/** Puts a board before a repeated string instruction with random operands; the same for the same round. */
function prepare(b: ProtectedBoard, round: number): void {
  const random = new Random(round), next = (below: number) => random.below(below), { r, cpu, board } = b;
  mapAtRandom(b, next);
  const bytes = board.memory.bytes, rarity = [1, 40, 1000][next(3)];
  for (let at = FIRST_FRAME << 12; at < (FIRST_FRAME + FRAMES) << 12; at++) {
    bytes[at] = next(rarity) === 0 ? next(256) : 0x42;
  }
  const width = next(3),
    opcode = OPCODES[next(OPCODES.length)],
    narrow = next(5) === 0,
    backwards = next(6) === 0,
    segmented = next(3) === 0;
  const code = [0xf2 + next(2), opcode + (width > 0 ? 1 : 0)];
  if (width === 1) code.unshift(0x66);
  if (narrow) code.unshift(0x67);
  // Twice, so that it also begins and ends at other places: the second time with what the first has left.
  board.load(0x1000, ...code, 0xb9, next(40), 0, 0, 0, ...code, 0xf4);
  const base = FIRST_PAGE << 12, span = PAGES << 12;
  // Often shortly before the end of a page, and close to one another.
  const place = () => next(3) === 0 ? (1 + next(PAGES - 1)) * 0x1000 - next(16) : next(span);
  const from = place(), to = next(3) === 0 ? Math.max(0, from + next(8) - 3) : place();
  for (const segment of [Seg.ES, Seg.DS]) {
    const limit = segmented && next(2) === 0 ? next(span) : 0xffff_ffff;
    r.setSegment(segment, Sel.DATA0, segmented || narrow ? base : 0, limit, 0xc093);
  }
  const origin = segmented || narrow ? 0 : base;
  r.set32(R.SI, origin + from);
  r.set32(R.DI, origin + to);
  r.set32(R.CX, next(3) === 0 ? next(8) : next(700));
  r.set32(R.AX, next(2) === 0 ? 0x4242_4242 : 0x1122_3344);
  r.set32(R.SP, 0x8000);
  r.eflags = 2 | (backwards ? Flag.DF : 0);
  r.ip = 0x1000;
  r.setNumber(S.CR2, 0);
  r.setI32(S.HALTED, 0);
  cpu.flushTlb();
  cpu.modeChanged();
}

/** Everything that may differ; `start` is how many instructions there were before. */
function outcome({ cpu, r, board }: ProtectedBoard, start: number): unknown {
  const memory = board.memory.bytes, tables = memory.subarray(TABLE, TABLE + 0x1000);
  const frames = memory.subarray(FIRST_FRAME << 12, (FIRST_FRAME + FRAMES) << 12);
  return {
    registers: [R.AX, R.CX, R.SP, R.SI, R.DI].map((n) => r.get32(n)),
    ip: r.ip,
    flags: r.eflags,
    cr2: r.number(S.CR2),
    instructions: cpu.instructions - start,
    stack: [...memory.subarray(r.get32(R.SP), 0x8000)],
    tables: tables.toHex(),
    frames: frames.toHex(),
  };
}

const VARIANTS: CpuOptions[] = [...TIERS.map((tier) => ({ tier })), { tier: "regions", stress: { tlbEntries: 3 } }];

Deno.test("repeated strings through page tables have the effect of single elements, in every tier", () => {
  const reference = new ProtectedBoard({ tier: "interpreter" });
  const boards = VARIANTS.map((options) => new ProtectedBoard(options));
  for (let round = 0; round < 120; round++) {
    const start = reference.cpu.instructions;
    prepare(reference, round);
    while (!reference.cpu.halted) reference.cpu.run(1);
    const expected = outcome(reference, start);
    boards.forEach((board, i) => {
      const start = board.cpu.instructions;
      prepare(board, round);
      assertEquals(board.cpu.run(100_000), "halted");
      assertEquals(outcome(board, start), expected, `round ${round}, ${JSON.stringify(VARIANTS[i])}`);
    });
  }
});

Deno.test("repeated moves look for the destination only when all of the element has been found", () => {
  for (const tier of TIERS) {
    const b = new ProtectedBoard({ tier }), { r, cpu, board } = b;
    mapAtRandom(b, () => 1);
    b.write32(TABLE + 4 * (FIRST_PAGE + 1), 0);
    board.load(0x1000, 0xf3, 0xa5, 0xf4);
    cpu.flushTlb();
    cpu.modeChanged();
    r.set32(R.SI, (FIRST_PAGE << 12) + 0xffe);
    r.set32(R.DI, (FIRST_PAGE + 2) << 12);
    r.set32(R.CX, 2);
    assertEquals(cpu.run(100), "halted", tier);
    assertEquals([r.number(S.CR2), r.get32(R.CX)], [(FIRST_PAGE + 1) << 12, 2], tier);
    const used = [0, 1, 2].map((i) => b.read32(TABLE + 4 * (FIRST_PAGE + i)) & 0x60);
    assertEquals(used, [0x20, 0, 0], tier);
  }
});

Deno.test("repeated strings in 64-bit code end where an address is not canonical", () => {
  const b = longBoard(), { r, board } = b;
  // mov rdi, 7FFFFFFFFFF0h; mov ecx, 10h; rep stosq: nothing is mapped there, and behind it lies no address.
  board.load(0x1000, 0x48, 0xbf, 0xf0, 0xff, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0xb9, 0x10, 0, 0, 0, 0xf3, 0x48, 0xab, 0xf4);
  r.ip = 0x1000;
  b.cpu.run(1000);
  assertEquals(r.number(S.CR2), 0x7fff_ffff_fff0);
  assertEquals([r.get64(R.CX), r.get64(R.DI)], [0x10n, 0x7fff_ffff_fff0n]);
});

Deno.test("repeated strings over code: it runs in its new form, the next iterations of the instruction itself included", () => {
  for (const tier of TIERS) {
    for (const [target, count] of [[0x2000, 0x400], [0x1800, 0x200], [0x0f80, 0x40]]) {
      const boards = [1, 100_000].map((slice) => {
        const { cpu, load, memory } = testBoard({ tier }), { r } = cpu, end = count + 30;
        // call 2100h; call 1900h; mov edi, target; mov ecx, count; rep stosd; call 2100h; call 1900h; hlt
        load(0x1000, 0xe8, 0xfb, 0x10, 0, 0, 0xe8, 0xf6, 0x08, 0, 0, 0xbf, target & 0xff, target >> 8, 0, 0);
        load(0x100f, 0xb9, count & 0xff, count >> 8, 0, 0, 0xf3, 0xab);
        load(0x1016, 0xe8, 0xe5, 0x10, 0, 0, 0xe8, 0xe0, 0x08, 0, 0, 0xf4);
        for (const routine of [0x1900, 0x2100]) load(routine, 0x42, 0x42, 0x42, 0xc3);
        // inc ebx; inc ebx; inc ebx; ret
        r.set32(R.AX, 0xc343_4343 | 0);
        r.set32(R.SP, 0x8000);
        while (!cpu.halted && cpu.instructions < end) cpu.run(Math.min(slice, end - cpu.instructions));
        const state = [R.AX, R.BX, R.CX, R.DX, R.SP, R.DI].map((n) => r.get32(n));
        return {
          state,
          ip: r.ip,
          instructions: cpu.instructions,
          code: memory.bytes.subarray(0xf00, 0x3000).toHex(),
        };
      });
      assertEquals(boards[1], boards[0], `${tier}, ${target.toString(16)}`);
    }
  }
});
