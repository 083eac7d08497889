/** The helpers behind inline memory accesses: TLB misses, device memory, watched frames, accesses across pages. */
import type { Helper, HelperTable } from "./helpers.ts";
import type { CpuCore } from "./core.ts";
import { S, Seg, Vector } from "./state.ts";

function helper(args: Helper["args"], result: Helper["result"], run: Helper["run"]): Helper {
  return { args, result, run };
}

const READ: Helper["args"] = ["f64"], WRITE: Helper["args"] = ["f64", "i32"];

/** Reads 128 bits into the scratch field. */
function load128(core: CpuCore, linear: number): void {
  core.probe(linear, 16, false);
  core.r.setU64(S.SCRATCH, core.read64(linear));
  core.r.setU64(S.SCRATCH + 8, core.read64(linear + 8));
}

function store128(core: CpuCore, linear: number): void {
  const low = core.r.u64(S.SCRATCH), high = core.r.u64(S.SCRATCH + 8);
  core.probe(linear, 16, true);
  core.write64(linear, low);
  core.write64(linear + 8, high);
}

/** By the names that lib/cpu/emit/memory.ts calls. `open` reads after checking that the same bytes can be written. */
export const slowPaths: HelperTable = {
  load8: helper(READ, "i32", (core, linear) => core.read8(linear)),
  load16: helper(READ, "i32", (core, linear) => core.read16(linear)),
  load32: helper(READ, "i32", (core, linear) => core.read32(linear)),
  load64: helper(READ, null, (core, linear) => core.r.setU64(S.SCRATCH, core.read64(linear))),
  load128: helper(READ, null, load128),
  store8: helper(WRITE, null, (core, linear, value) => core.write8(linear, value & 0xff)),
  store16: helper(WRITE, null, (core, linear, value) => core.write16(linear, value & 0xffff)),
  store32: helper(WRITE, null, (core, linear, value) => core.write32(linear, value >>> 0)),
  store64: helper(READ, null, (core, linear) => core.write64(linear, core.r.u64(S.SCRATCH))),
  store128: helper(READ, null, store128),
  open8: helper(READ, "i32", (core, linear) => {
    core.probe(linear, 1, true);
    return core.read8(linear);
  }),
  open16: helper(READ, "i32", (core, linear) => {
    core.probe(linear, 2, true);
    return core.read16(linear);
  }),
  open32: helper(READ, "i32", (core, linear) => {
    core.probe(linear, 4, true);
    return core.read32(linear);
  }),
  open64: helper(READ, null, (core, linear) => {
    core.probe(linear, 8, true);
    core.r.setU64(S.SCRATCH, core.read64(linear));
  }),
  probe: helper(["f64", "i32", "i32"], null, (core, linear, bytes, write) => core.probe(linear, bytes, write !== 0)),
  segmentFault: helper(["i32"], null, (core, offset) => {
    core.raise(offset / 64 === Seg.SS ? Vector.SS : Vector.GP, 0);
  }),
};
