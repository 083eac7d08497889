/** {@link CpuAccess} over the processor. */
import type { CpuCore } from "../cpu/core.ts";
import { S } from "../cpu/state.ts";
import type { CpuAccess } from "./cpu_access.ts";

/** The firmware's view of a processor. */
export class CoreAccess implements CpuAccess {
  constructor(private readonly core: CpuCore) {}

  get32(index: number): number {
    return this.core.r.get32(index);
  }

  set32(index: number, value: number): void {
    this.core.r.set32(index, value);
  }

  selector(index: number): number {
    return this.core.r.selector(index);
  }

  segmentBase(index: number): number {
    return this.core.r.segmentBase(index);
  }

  setRealSegment(index: number, selector: number): void {
    this.core.r.setRealSegment(index, selector);
    this.core.modeChanged();
  }

  get eflags(): number {
    return this.core.r.eflags;
  }

  set eflags(value: number) {
    this.core.r.eflags = value;
  }

  get stackSize(): number {
    return this.core.r.stackSize;
  }

  get cr0(): number {
    return this.core.r.u32(S.CR0);
  }

  get cr3(): number {
    return this.core.r.u32(S.CR3);
  }

  get cr4(): number {
    return this.core.r.u32(S.CR4);
  }
}
