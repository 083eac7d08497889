/**
 * Random numbers of the processor. They come from the machine's seed by SplitMix64 (Steele, Lea and Flood, OOPSLA 2014),
 * whose state is a part of the processor's: equal machines draw equal numbers.
 */
import type { CpuCore } from "../core.ts";
import { S } from "../state.ts";

const STEP = 0x9e37_79b9_7f4a_7c15n, MIX_1 = 0xbf58_476d_1ce4_e5b9n, MIX_2 = 0x94d0_49bb_1331_11ebn;

function word(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}

/** RDRAND and RDSEED: leaves the next 64 random bits in the scratch field. There are always some. */
export function drawRandom(core: CpuCore): void {
  const state = word(core.r.u64(S.RANDOM) + STEP);
  core.r.setU64(S.RANDOM, state);
  const first = word((state ^ (state >> 30n)) * MIX_1);
  const second = word((first ^ (first >> 27n)) * MIX_2);
  core.r.setU64(S.SCRATCH, second ^ (second >> 31n));
}
