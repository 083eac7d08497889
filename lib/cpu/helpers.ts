/** The shape of the tables of TypeScript helpers that compiled code calls. */
import type { CpuCore } from "./core.ts";

/** How a helper's argument arrives: i32 as a signed number, f64 for addresses and offsets. */
export type HelperType = "i32" | "f64";

/** One helper. It raises through {@link CpuCore.raise}, before it has changed anything. */
export interface Helper {
  readonly args: readonly HelperType[];
  readonly result: HelperType | null;
  run(core: CpuCore, ...args: number[]): number | void;
}

/** Helpers by name. */
export type HelperTable = Readonly<Record<string, Helper>>;
