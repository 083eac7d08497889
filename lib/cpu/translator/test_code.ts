/** Pieces of flat 32-bit code as regions, for unit tests. */
import { decode } from "../decode/mod.ts";
import type { CodeMode } from "../emit/emitter.ts";
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
