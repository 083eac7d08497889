/** What the emitter of a region's instructions is given, and how it can end. */
import type { Code, Label } from "../../wasm/mod.ts";
import type { CodeMode } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import type { Imported } from "../interpreter/linkage.ts";
import type { AccessGroups } from "./access_groups.ts";
import type { AccessLinkage } from "./accesses.ts";
import type { FlagTracker } from "./flags.ts";
import type { LastPages } from "./last_pages.ts";
import type { RegionGraph } from "./region_graph.ts";
import type { SteadyLocals } from "./steady_locals.ts";
import type { X87Locals } from "./x87_locals.ts";

/** Thrown when an instruction turns out to need TypeScript: the interpreter has to execute it. */
export class NotTranslated extends Error {}

/**
 * Thrown when an instruction touches a register that {@link RegisterUse} did not tell of, or calls a system function unexpectedly:
 * writing the region starts again.
 */
export class UnexpectedRegister extends Error {}

/** How an instruction's definition ended it. */
export type Outcome =
  | { readonly kind: "next" }
  | { readonly kind: "jump" }
  | { readonly kind: "branch"; readonly condition: Value }
  | { readonly kind: "computed"; readonly target: Value }
  | { readonly kind: "stall"; readonly cycles: number };

/** What the emitter needs of the region that is being written. */
export interface RegionContext {
  readonly code: Code;
  readonly mode: CodeMode;
  /** The region runs with the user's privilege. */
  readonly user: boolean;
  readonly flags: FlagTracker;
  /** Local of each register by its number in masks, -1 if the region does not touch it. */
  readonly registers: readonly number[];
  /** Locals of the x87 unit, if the region has such. */
  readonly x87: X87Locals | null;
  /** Locals of steady values. */
  readonly steady: SteadyLocals;
  /** Writes SSE registers to the state block, and reads those of a mask from it. */
  storeVectors(): void;
  loadVectors(mask: number): void;
  readonly linkage: AccessLinkage;
  readonly groups: AccessGroups;
  /** Pages that loops try first, null if there are none; and by node whether it does, see chases.ts. */
  readonly lastPages: LastPages | null;
  readonly chases: Uint8Array;
  readonly region: RegionGraph;
  /** Local: what is left of the budget behind the current block. */
  readonly budget: number;
  /** The way out before the current instruction, which has changed some registers so far; takes the number of the place. */
  bailLabel(changed: number): Label;
  kernel(name: string): Imported;
  helper(name: string): Imported;
  /** Cycles that the run had left before the current instruction. */
  cyclesLeft(): Value;
  /** Writes what a system function needs to find in the state block. */
  beforeHelper(): void;
  /** Writes what takes the state over again. */
  afterHelper(): void;
  /** The number of a place where the region may be left before the current instruction, `forGroup` as {@link Site.forGroup} says. */
  currentSite(forGroup: boolean): number;
}
