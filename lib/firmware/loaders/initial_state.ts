/** The processor state in which a directly loaded program starts. */
import type { CpuCore } from "../../cpu/core.ts";
import { Access } from "../../cpu/registers.ts";
import { CR0, R, S, Seg } from "../../cpu/state.ts";

/** A segment register with its descriptor. */
export interface InitialSegment {
  readonly selector: number;
  readonly base: number;
  /** In bytes, granularity applied. */
  readonly limit: number;
  /** Descriptor bits 8–23 shifted right by 8, as {@link Access} names them. */
  readonly access: number;
}

/** Registers that are not named are zero. */
export interface InitialState {
  readonly ip: number;
  readonly eflags: number;
  /** General registers by number in encoding order. */
  readonly registers: Readonly<Record<number, number>>;
  readonly cs: InitialSegment;
  /** DS, ES, FS, GS and SS. */
  readonly data: InitialSegment;
  /** Global descriptor table; absent if the program needs none. */
  readonly gdt?: { readonly base: number; readonly limit: number };
  readonly protectedMode: boolean;
}

const DATA = Access.PRESENT | Access.S | Access.READ_WRITE | Access.ACCESSED;
const FLAT = DATA | Access.BIG | Access.GRANULARITY;

/** A flat 32-bit code segment of 4 GiB. */
export function flatCode(selector: number): InitialSegment {
  return { selector, base: 0, limit: 0xffff_ffff, access: FLAT | Access.CODE };
}

/** A flat 32-bit data segment of 4 GiB. */
export function flatData(selector: number): InitialSegment {
  return { selector, base: 0, limit: 0xffff_ffff, access: FLAT };
}

/** A real-mode segment. */
export function realSegment(selector: number, code = false): InitialSegment {
  return { selector, base: selector * 16, limit: 0xffff, access: code ? DATA | Access.CODE : DATA };
}

/** A GDT with flat code and data at the given selectors, as bytes. */
export function flatGdt(code: number, data: number): Uint8Array {
  const table = new Uint8Array(Math.max(code, data) + 8);
  table.set([0xff, 0xff, 0, 0, 0, 0x9b, 0xcf, 0], code);
  table.set([0xff, 0xff, 0, 0, 0, 0x93, 0xcf, 0], data);
  return table;
}

/** Puts a processor that was just reset into `state`. */
export function applyInitialState(core: CpuCore, state: InitialState): void {
  const { r } = core;
  for (let register = 0; register < 8; register++) r.set32(register, state.registers[register] ?? 0);
  r.ip = state.ip;
  r.eflags = state.eflags | 2;
  r.setI32(S.CR0, CR0.ET | (state.protectedMode ? CR0.PE : 0));
  const { cs, data, gdt } = state;
  r.setSegment(Seg.CS, cs.selector, cs.base, cs.limit, cs.access);
  for (const segment of [Seg.ES, Seg.SS, Seg.DS, Seg.FS, Seg.GS]) {
    r.setSegment(segment, data.selector, data.base, data.limit, data.access);
  }
  if (gdt !== undefined) {
    r.setNumber(S.GDTR_BASE, gdt.base);
    r.setI32(S.GDTR_LIMIT, gdt.limit);
  }
  core.flushTlb();
  core.modeChanged();
}

/** The general register numbers, for who describes a state. */
export const Register: Readonly<typeof R> = R;
