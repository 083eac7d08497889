import { assert, assertEquals } from "@std/assert";
import { Random } from "../../../scripts/lib/random.ts";
import { ModuleBuilder } from "../../wasm/mod.ts";
import { MEMORY_PAGES } from "../interpreter/layout.ts";
import { TIERS } from "../options.ts";
import { CR0, CR4, EFER, Flag, R, S, Vector } from "../state.ts";
import { attempt } from "../system/paging.ts";
import { gate, ProtectedBoard, Sel } from "../system/test_tables.ts";
import { mapFrames, testBoard } from "../test_board.ts";
import { TRANSLATE, translateCode } from "./mod.ts";

type Translate = (linear: bigint, write: number, mayFill: number) => number;

function translation(memory: WebAssembly.Memory): Translate {
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", MEMORY_PAGES);
  module.export("translate", module.function(TRANSLATE, translateCode()));
  return new WebAssembly.Instance(new WebAssembly.Module(module.toBytes()), { env: { memory } }).exports
    .translate as Translate;
}

/** Tables are in the frames from 100h on, a few of each level; some entries lead elsewhere. */
const FIRST_TABLE = 0x100, TABLES = 16;
const FORMATS = {
  "32-bit paging": { cr4: CR4.PSE, efer: 0, bytes: 4, bits: 32 },
  "PAE paging": { cr4: CR4.PAE, efer: EFER.NXE, bytes: 8, bits: 32 },
  "4-level paging": { cr4: CR4.PAE | CR4.SMAP, efer: EFER.LMA | EFER.LME | EFER.NXE, bytes: 8, bits: 48 },
} as const;

for (const [name, { cr4, efer, bytes, bits }] of Object.entries(FORMATS)) {
  Deno.test(`page faults: what compiled code finds out is what a walk does, ${name}`, () => {
    const { cpu, memory } = testBoard(), { r } = cpu, translate = translation(memory.memory), random = new Random(1);
    const next = (limit: number) => random.below(limit);
    // What RAM is plain is looked up with the first translation.
    cpu.probe(0, 1, false, false);
    r.setI32(S.CR4, cr4);
    r.setI32(S.EFER, efer);
    r.setNumber(S.CR3, FIRST_TABLE * 4096);
    const flags = () => [0, 1, 2, 3, 4, 5, 6, 7, 7, 7, 7, 0x67, 0x87][next(13)];
    for (let at = FIRST_TABLE * 4096; at < (FIRST_TABLE + TABLES) * 4096; at += bytes) {
      memory.write32(at, ((FIRST_TABLE + next(next(8) === 0 ? 4 * TABLES : TABLES)) << 12) | flags());
      if (bytes === 8 && next(16) === 0) memory.write32(at + 4, [1 << 31 >>> 0, 0x8000, 1 << 20][next(3)]);
    }
    let found = 0, faults = 0;
    for (let i = 0; i < 20_000; i++) {
      const user = next(2) === 0, write = next(2) === 0;
      r.setI32(S.CPL, user ? 3 : 0);
      r.setNumber(S.CR0, (CR0.PE | CR0.PG | (next(2) === 0 ? CR0.WP : 0)) >>> 0);
      cpu.modeChanged();
      const high = next(2 ** 16) * 2 ** 24 + next(2 ** 24), low = next(2 ** 16) * 2 ** 16 + next(2 ** 16);
      const linear = bits === 32 ? low : (high * 256) % 2 ** 47 - (next(2) === 0 ? 2 ** 47 : 0);
      // A walk that does not fault leaves marks: what it says comes second.
      const answer = translate(BigInt(linear), write ? 1 : 0, 0);
      const code = r.i32(S.PAGE_FAULT_CODE), address = r.number(S.PAGE_FAULT_ADDRESS);
      const walk = attempt(cpu, linear, write, user, false);
      if (walk === null) faults++;
      if (answer === 0) continue;
      found++;
      assertEquals([walk, address], [null, linear], `${linear.toString(16)}, ${user}, ${write}`);
      let raised = -1;
      try {
        cpu.raiseNoted();
      } catch (fault) {
        if (cpu.isFault(fault)) raised = fault.code;
      }
      assertEquals(code, raised, `${linear.toString(16)}, ${user}, ${write}`);
    }
    assert(found > 4000 && found >= faults / 2, `${found} of ${faults}`);
  });
}

const DIRECTORY = 0x10_0000, TABLE = 0x10_1000, PAGES = 64, ROUNDS = 40;
const HANDLER = 0x1300;

/** A loop that writes to pages which are not there, until the handler maps them: all of them, and then they are taken away again. */
function faultingBoard(tier: typeof TIERS[number]): ProtectedBoard {
  const b = new ProtectedBoard({ tier }), { load, memory } = b.board;
  mapFrames(memory, DIRECTORY, TABLE, 1024);
  // MOV EBX, 40; R: MOV EDI, 200000h; MOV ECX, 64; L: MOV [EDI], ECX; ADD EDI, 4096; DEC ECX; JNZ L
  load(0x1000, 0xbb, ROUNDS, 0, 0, 0, 0xbf, 0, 0, 0x20, 0, 0xb9, PAGES, 0, 0, 0);
  load(0x100f, 0x89, 0x0f, 0x81, 0xc7, 0, 0x10, 0, 0, 0x49, 0x75, 0xf5);
  // MOV ECX, 64; U: MOV DWORD [ECX*4 + 1017FCh], 0; DEC ECX; JNZ U; DEC EBX; JNZ R; HLT
  load(0x101a, 0xb9, PAGES, 0, 0, 0, 0xc7, 0x04, 0x8d, 0xfc, 0x17, 0x10, 0, 0, 0, 0, 0);
  load(0x102a, 0x49, 0x75, 0xf2, 0x4b, 0x75, 0xd5, 0xf4);
  // PUSH EAX; MOV EAX, CR2; MOV EDX, EAX; SHR EDX, 12; OR EAX, 3; MOV [EDX*4 + 101000h], EAX; INC ESI; POP EAX; ADD ESP, 4; IRET
  load(HANDLER, 0x50, 0x0f, 0x20, 0xd0, 0x89, 0xc2, 0xc1, 0xea, 12, 0x83, 0xc8, 3);
  load(HANDLER + 12, 0x89, 0x04, 0x95, 0, 0x10, 0x10, 0, 0x46, 0x58, 0x83, 0xc4, 4, 0xcf);
  for (let page = 0; page < PAGES; page++) memory.write32(TABLE + 4 * (0x200 + page), 0);
  b.gate(Vector.PF, gate(0x8e, Sel.CODE0, HANDLER));
  b.r.setNumber(S.CR3, DIRECTORY);
  b.r.setI32(S.CR0, b.r.i32(S.CR0) | CR0.PG);
  b.cpu.flushTlb();
  b.cpu.modeChanged();
  b.r.set32(R.SP, 0x7800);
  b.r.eflags = Flag.CF | 2;
  b.r.ip = 0x1000;
  return b;
}

Deno.test("page faults: handlers are entered and left alike in every tier, and without leaving compiled code", () => {
  const seen: unknown[] = [];
  for (const tier of TIERS) {
    for (const slice of [1_000_000, 997]) {
      const b = faultingBoard(tier), { cpu, r } = b;
      let result = cpu.run(slice);
      while (result === "budget") result = cpu.run(slice);
      assertEquals([result, r.get32(R.SI)], ["halted", PAGES * ROUNDS], tier);
      seen.push([
        cpu.instructions,
        r.eflags,
        r.number(S.CR2),
        r.get32(R.SP),
        b.board.memory.bytes.slice(0x7000, 0x8000),
      ]);
      if (tier === "regions" && slice > 997) {
        assert(cpu.statistics["regions left for an instruction"] < PAGES * ROUNDS / 4);
      }
    }
  }
  for (const other of seen) assertEquals(other, seen[0]);
});
