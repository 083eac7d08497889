/** Loads kernels directly into memory, as a boot loader would. */
import { isElf } from "./elf.ts";
import { KernelFormatError } from "./errors.ts";
import type { InitialState } from "./initial_state.ts";
import { isLinux, loadLinux } from "./linux.ts";
import { findMultiboot, loadMultiboot } from "./multiboot.ts";
import { findMultiboot2, loadMultiboot2 } from "./multiboot2.ts";
import { loadElfKernel } from "./pvh.ts";
import type { KernelImage, LoadTarget } from "./types.ts";

export { KernelError, KernelFormatError, KernelMemoryError, KernelProtocolError } from "./errors.ts";
export { applyInitialState, type InitialSegment, type InitialState } from "./initial_state.ts";
export { type LinuxEntry, loadLinux } from "./linux.ts";
export type { KernelImage, LoadTarget } from "./types.ts";

/**
 * Loads a kernel of whatever kind it is: Linux bzImage, multiboot 2, multiboot 1, ELF with a PVH entry, plain 32-bit ELF.
 * Returns the state in which the processor has to start it.
 *
 * @throws KernelError if the file is none of these, is damaged, or does not fit into memory.
 */
export function loadKernel(target: LoadTarget, kernel: KernelImage): InitialState {
  const { image } = kernel;
  if (isLinux(image)) return loadLinux(target, kernel);
  if (findMultiboot2(image) >= 0) return loadMultiboot2(target, kernel);
  if (findMultiboot(image) >= 0) return loadMultiboot(target, kernel);
  if (isElf(image)) return loadElfKernel(target, kernel);
  throw new KernelFormatError(
    "the file is no kernel that can be loaded: it is neither a bzImage nor a multiboot or ELF executable",
  );
}
