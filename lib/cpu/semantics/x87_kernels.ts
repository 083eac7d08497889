/** How x87 instructions use the kernels of numbers, and those that do all of an instruction. */
import type { Emitter } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import { beginX87 } from "./fpu_checks.ts";
import { define } from "./registry.ts";
import type { Computed, KernelResult } from "./x87_numbers.ts";
import { numberResult } from "./x87_stack.ts";

/** Does all of an instruction with a kernel that works on the state block. */
export function generalKernel(e: Emitter, kernel: string, ...args: readonly Value[]): void {
  e.notePointers();
  e.kernel(kernel, e.base(), ...args);
}

/**
 * Computes a number with a kernel, which leaves flags for {@link numberResult}, and goes on with it; `general` instead does it
 * all where a register of `registers` is empty or an exception is not masked.
 */
export function compute(
  e: Emitter,
  registers: readonly (Value | number)[],
  number: () => Computed,
  general: () => void,
  commit: (number: Computed) => void,
): void {
  e.exceptionally(e.someEmpty(...registers), general, () => {
    const computed = number();
    if (computed.result === null) commit(computed);
    else e.exceptionally(computed.result.ltS(0), general, () => commit(computed));
  });
}

/** What a kernel computes. */
export function byKernel(e: Emitter, kernel: string, ...args: Value[]): KernelResult {
  return { significand: e.kernel(kernel, ...args), result: numberResult(e) };
}

/** Defines instructions that are a kernel and constant arguments. */
export function definePlain(table: Readonly<Record<string, [kernel: string, ...args: number[]]>>): void {
  for (const [mnemonic, [kernel, ...args]] of Object.entries(table)) {
    define(mnemonic, (e) => {
      beginX87(e);
      generalKernel(e, kernel, ...args.map((arg) => e.i32(arg)));
    });
  }
}
