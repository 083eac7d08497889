/** How a processor is made. On tier and stress nothing depends that is computed: neither states nor hashes nor snapshots. */
import type { CpuModel } from "./system/model.ts";

/**
 * - `"interpreter"`: decoded records and handlers only.
 * - `"single"`: every instruction is translated alone, before it runs for the first time.
 * - `"regions"`: every block is translated into a full region before it runs for the first time.
 * - `"auto"`: interpreted at first, translated where it is worth it.
 */
export type Tier = "interpreter" | "single" | "regions" | "auto";

/** Every {@link Tier}. */
export const TIERS: readonly Tier[] = ["interpreter", "single", "regions", "auto"];

/** What a processor does unless told otherwise. */
export const DEFAULT_TIER: Tier = "auto";

/** Makes rare things frequent, so that tests meet them. */
export interface StressOptions {
  /** Entries of each software TLB: a power of two from 2 to the usual size. */
  readonly tlbEntries?: number;
  /** All translated code is thrown away after every so many translated regions. */
  readonly evictEvery?: number;
  /** All decoded blocks are forgotten when their records take more bytes than this. */
  readonly recordBytes?: number;
  /** Room is made when there are more bytes of modules than this. */
  readonly codeBytes?: number;
  /** With `"auto"`: how often a place must have run before it is translated is drawn from this seed, each time anew. */
  readonly compileSeed?: number;
}

/** Told when handlers and regions are made and compiled, for who measures how long that takes. */
export interface CompileObserver {
  /** Work begins; it may begin again before it {@link end}s. */
  begin(): void;
  end(): void;
}

/** Options of a processor. */
export interface CpuOptions {
  /** What the processor has. Default: x86-64-v2. */
  readonly cpuModel?: CpuModel;
  /** Seed of the processor's random numbers, a whole number from 0 on. Default 0. */
  readonly seed?: number;
  /** Default {@link DEFAULT_TIER}. */
  readonly tier?: Tier;
  /** Default: none. */
  readonly stress?: StressOptions;
  /** Default: none. */
  readonly compileObserver?: CompileObserver;
}
