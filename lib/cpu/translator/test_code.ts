/** Pieces of flat 32-bit code, run or as regions, for unit tests. */
import { assertEquals } from "@std/assert";
import { decode } from "../decode/mod.ts";
import type { CodeMode } from "../emit/emitter.ts";
import { R, S } from "../state.ts";
import type { ProtectedBoard } from "../system/test_tables.ts";
import { type CodeView, discover, type Limits, type RegionCode } from "./discovery.ts";

/** The mode of the code. */
export const FLAT: CodeMode = { code: 32, stack: 32, flat: true };

/**
 * The code of the region at `root`, an offset in `bytes`, all of which has run; null if there is none. `view` and `limits` say
 * what is otherwise.
 */
export function regionCode(
  bytes: Uint8Array,
  root = 0,
  view: Partial<CodeView> = {},
  limits: Limits = { instructions: 100, blocks: 100 },
): RegionCode | null {
  return discover(root, {
    mode: FLAT,
    decode,
    bytes,
    host: (ip) => ip < bytes.length ? ip : -1,
    data: () => -1,
    executed: () => true,
    varies: () => false,
    interpreted: () => false,
    indirectTargets: () => [],
    isRoot: () => false,
    ...view,
  }, limits);
}

/** Runs the code at an address with ECX = `rounds` until it halts. */
export function runRounds({ cpu, r }: ProtectedBoard, start: number, rounds: number): void {
  r.ip = start;
  r.setI32(S.HALTED, 0);
  r.set32(R.CX, rounds);
  let result = cpu.run(1e6);
  while (result === "budget") result = cpu.run(1e6);
  assertEquals(result, "halted");
}
