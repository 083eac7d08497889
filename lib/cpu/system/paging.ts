/**
 * The page walk: 32-bit paging with PSE and PSE-36, PAE with NX, and 4-level paging, with SMEP and SMAP. Intel SDM
 * vol. 3A, chapter 4.
 *
 * The walk checks rights, sets accessed and dirty bits, and reports which frames hold the tables, so that the TLB can be
 * kept coherent with them. It runs on every TLB miss and allocates nothing.
 */
import type { CpuCore } from "../core.ts";
import { FrameFlag, PAGE_SHIFT, PAGE_SIZE, PageKind, type PhysicalMemory } from "../../machine/memory.ts";
import { CR0, CR4, EFER, Flag, S } from "../state.ts";
import { isCanonical } from "./canonical.ts";
import { hasFeature } from "./model.ts";

/** Bits of a paging-structure entry. Tables 4-5 to 4-20. */
const P = 1 << 0, W = 1 << 1, U = 1 << 2, A = 1 << 5, D = 1 << 6, PS = 1 << 7, G = 1 << 8;
/** Bit 63 of an entry, in its upper half. */
const XD = 1 << 31;
const TWO_32 = 2 ** 32;

/** Bits of a page fault's error code. Figure 4-12. */
const PageFaultCode = { P: 1, W: 2, U: 4, RSVD: 8, I: 16 } as const;

/** The outcome of {@link walk}. One object is reused: read it before the next walk. */
export class Translation {
  /** Physical address of the byte asked for. */
  physical = 0;
  /** Size of the page: 4 KiB, 2 MiB, 4 MiB, 1 GiB (or 4 GiB of identity when paging is off). */
  pageSize = PAGE_SIZE;
  /** A read with the walk's privilege is allowed: not from a page of the user's that SMAP guards. */
  readable = false;
  /** A write with the walk's privilege is allowed by the page's rights and CR0.WP. */
  writable = false;
  /** User-mode accesses reach the page. */
  user = false;
  /** Supervisor accesses to this page of the user's are allowed only as long as EFLAGS.AC is set. */
  guarded = false;
  /** Instructions may not be fetched from the page. */
  noExecute = false;
  /** The dirty bit is set, so that a cached translation may serve writes. */
  dirty = false;
  /** The page is global (and CR4.PGE is set). */
  global = false;
  /** False if a table lies in device memory, whose contents may change unseen. */
  cacheable = true;
  /** Host frames (see {@link PhysicalMemory.frame}) of the tables visited, for {@link FrameFlag.PAGE_TABLE}. */
  readonly tables = new Int32Array(4);
  /** How many entries of {@link tables} are valid. */
  tableCount = 0;
  /** Host offsets of the entries read in these tables; -1 in ROM. */
  readonly entries = new Float64Array(4);
}

const result = new Translation();

/** The entries of the walk so far: physical address, host byte offset (-1 outside RAM) and low half. */
const entryPhysical = new Float64Array(4), entryHost = result.entries, entryLow = new Int32Array(4);
let level = 0;

/** Goes to the entry at `address`, notes its table, and returns its low half. */
function enter(core: CpuCore, address: number): number {
  const memory = core.bus.memory, physical = core.physicalAddress(address);
  const page = Math.floor(physical / PAGE_SIZE), kind = memory.kind(page);
  let host = -1;
  if (kind === PageKind.MMIO) {
    // A device could tell that it was read.
    if (quiet) return 0;
    result.cacheable = false;
  }
  if (kind === PageKind.RAM || kind === PageKind.ROM) {
    const frame = memory.frame(page);
    result.tables[result.tableCount++] = frame;
    if (kind === PageKind.RAM) host = frame * PAGE_SIZE + (physical & (PAGE_SIZE - 1));
  }
  entryPhysical[level] = physical;
  entryHost[level] = host;
  const low = host >= 0 ? memory.view.getInt32(host, true) : memory.read32(physical) | 0;
  entryLow[level++] = low;
  return low;
}

/** The high half of the entry that the walk is at. */
function highHalf(memory: PhysicalMemory): number {
  const host = entryHost[level - 1];
  return host >= 0 ? memory.view.getInt32(host + 4, true) : memory.read32(entryPhysical[level - 1] + 4) | 0;
}

/** Sets bits in an entry of the walk. The walk's own writes do not invalidate what it returns. */
function updateEntry(memory: PhysicalMemory, index: number, bits: number): void {
  const low = entryLow[index] | bits, host = entryHost[index];
  if (low === entryLow[index]) return;
  if (host < 0) {
    memory.write32(entryPhysical[index], low >>> 0);
    return;
  }
  memory.view.setInt32(host, low, true);
  if ((memory.frameFlags[host >>> PAGE_SHIFT] & ~FrameFlag.PAGE_TABLE) !== 0) memory.noteWrite(host, 4);
}

/** Physical address in an 8-byte entry, reserved bits excluded. */
function frameOf(low: number, high: number): number {
  return ((low & 0xfffff000) >>> 0) + (high & 0xfffff) * TWO_32;
}

/** Bits of the upper half of an 8-byte entry that lie above the physical address width, below bit 52. */
function reservedHigh(core: CpuCore): number {
  return 0xfffff & ~((1 << (core.model.physicalBits - 32)) - 1);
}

/** What the parts of a walk return if nothing stands against the access; else they return the cause of the fault. */
const ALLOWED = -1;
/** The walk must change nothing: it fails where it would have to set a bit. */
let quiet = false;

/**
 * Translates a linear address, checking the rights of the access, and sets the accessed (and, for `write`, dirty) bits.
 * `linear` is 0 … 2^32-1, or a signed 64-bit address in long mode. Raises #PF, or what a non-canonical address raises.
 */
export function walk(core: CpuCore, linear: number, write: boolean, user: boolean, execute: boolean): Translation {
  const found = attempt(core, linear, write, user, execute);
  return found ?? core.raiseNoted();
}

/** Like {@link walk}, but null if that raises #PF, which the core has been told of then. */
export function attempt(
  core: CpuCore,
  linear: number,
  write: boolean,
  user: boolean,
  execute: boolean,
): Translation | null {
  quiet = false;
  const cause = translate(core, linear, write, user, execute);
  if (cause === ALLOWED) return result;
  core.notePageFault(linear, cause | accessCode(core, write, user, execute));
  return null;
}

/** Like a {@link walk} for reading (and fetching, for `execute`), but null if that would raise anything or set a bit. */
export function peek(core: CpuCore, linear: number, user: boolean, execute: boolean): Translation | null {
  quiet = true;
  return translate(core, linear, false, user, execute) === ALLOWED ? result : null;
}

/** True if a {@link walk} to a linear address comes through a table in a host frame. Changes nothing. */
export function passesTable(core: CpuCore, linear: number, frame: number): boolean {
  quiet = true;
  translate(core, linear, false, false, false);
  return result.tables.subarray(0, result.tableCount).includes(frame);
}

function translate(core: CpuCore, linear: number, write: boolean, user: boolean, execute: boolean): number {
  const r = core.r;
  result.tableCount = level = 0;
  result.cacheable = true;
  if ((r.i32(S.CR0) & CR0.PG) === 0) {
    result.physical = linear >>> 0;
    result.pageSize = TWO_32;
    result.readable =
      result.writable =
      result.user =
      result.dirty =
        true;
    result.noExecute = result.global = result.guarded = false;
    return ALLOWED;
  }
  return (r.i32(S.CR4) & CR4.PAE) === 0
    ? walk32(core, linear, write, user, execute)
    : walkWide(core, linear, write, user, execute);
}

/** What the error code of a page fault says of the access. */
function accessCode(core: CpuCore, write: boolean, user: boolean, execute: boolean): number {
  const cr4 = core.r.i32(S.CR4);
  const noExecute = (cr4 & CR4.PAE) !== 0 && (core.r.i32(S.EFER) & EFER.NXE) !== 0;
  const fetch = execute && (noExecute || (cr4 & CR4.SMEP) !== 0);
  return (write ? PageFaultCode.W : 0) | (user ? PageFaultCode.U : 0) | (fetch ? PageFaultCode.I : 0);
}

/** 32-bit paging. Section 4.3. */
function walk32(core: CpuCore, linear: number, write: boolean, user: boolean, execute: boolean): number {
  const r = core.r, cr4 = r.i32(S.CR4);
  let entry = enter(core, ((r.i32(S.CR3) & 0xfffff000) >>> 0) + (linear >>> 22) * 4);
  if ((entry & P) === 0) return 0;
  let rights = entry, frame = 0, size = PAGE_SIZE;
  if ((entry & PS) !== 0 && (cr4 & CR4.PSE) !== 0) {
    // Bits 13–20 are bits 32–39 of the address, as far as the processor has them; bit 21 and the rest are reserved.
    const reserved = 0x3f_e000 & ~(((1 << (Math.min(core.model.physicalBits, 40) - 32)) - 1) << 13);
    if ((entry & reserved) !== 0) return PageFaultCode.P | PageFaultCode.RSVD;
    frame = ((entry & 0xffc00000) >>> 0) + ((entry >>> 13) & 0xff) * TWO_32;
    size = 0x40_0000;
  } else {
    entry = enter(core, ((entry & 0xfffff000) >>> 0) + ((linear >>> 12) & 0x3ff) * 4);
    if ((entry & P) === 0) return 0;
    rights &= entry;
    frame = (entry & 0xfffff000) >>> 0;
  }
  return finish(core, linear, write, user, execute, rights, false, frame, size);
}

/** PAE and 4-level paging. Sections 4.4 and 4.5. */
function walkWide(core: CpuCore, linear: number, write: boolean, user: boolean, execute: boolean): number {
  const r = core.r, memory = core.bus.memory;
  const aboveWidth = reservedHigh(core), low32 = linear >>> 0;
  const xdValid = (r.i32(S.EFER) & EFER.NXE) !== 0, long = r.longMode;
  if (long && !isCanonical(linear)) {
    if (quiet) return 0;
    core.notCanonical(linear);
  }
  let rights = W | U, noExecute = false, low = 0, high = 0, table: number;
  // Bits 62–52 are ignored in 4-level paging and reserved in PAE paging.
  const reserved = aboveWidth | (long ? 0 : 0x7ff0_0000) | (xdValid ? 0 : XD);
  if (long) {
    table = frameOf(r.i32(S.CR3), r.i32(S.CR3 + 4));
    const above = Math.floor(linear / TWO_32), gigabytePages = hasFeature(core.model, "pdpe1gb");
    for (let step = 0; step < 2; step++) {
      const index = step === 0 ? (above >>> 7) & 0x1ff : ((above & 0x7f) << 2) | (low32 >>> 30);
      low = enter(core, table + index * 8);
      high = highHalf(memory);
      if ((low & P) === 0) return 0;
      const gigabyte = step === 1 && gigabytePages && (low & PS) !== 0;
      if ((high & reserved) !== 0 || (!gigabyte && (low & PS) !== 0) || (gigabyte && (low & 0x3fff_e000) !== 0)) {
        return PageFaultCode.P | PageFaultCode.RSVD;
      }
      rights &= low;
      noExecute = noExecute || (high & XD) !== 0;
      if (gigabyte) {
        const frame = frameOf(low & 0xc000_0000, high);
        return finish(core, linear, write, user, execute, rights, noExecute, frame, 0x4000_0000);
      }
      table = frameOf(low, high);
    }
  } else {
    low = enter(core, ((r.i32(S.CR3) & 0xffffffe0) >>> 0) + (low32 >>> 30) * 8);
    high = highHalf(memory);
    if ((low & P) === 0) return 0;
    table = frameOf(low, high & ~aboveWidth);
  }
  low = enter(core, table + ((low32 >>> 21) & 0x1ff) * 8);
  high = highHalf(memory);
  if ((low & P) === 0) return 0;
  const large = (low & PS) !== 0;
  if ((high & reserved) !== 0 || (large && (low & 0x1f_e000) !== 0)) return PageFaultCode.P | PageFaultCode.RSVD;
  rights &= low;
  noExecute = noExecute || (high & XD) !== 0;
  let frame: number, size: number;
  if (large) {
    frame = frameOf(low & 0xffe00000, high);
    size = 0x20_0000;
  } else {
    low = enter(core, frameOf(low, high) + ((low32 >>> 12) & 0x1ff) * 8);
    high = highHalf(memory);
    if ((low & P) === 0) return 0;
    if ((high & reserved) !== 0) return PageFaultCode.P | PageFaultCode.RSVD;
    rights &= low;
    noExecute = noExecute || (high & XD) !== 0;
    frame = frameOf(low, high);
    size = PAGE_SIZE;
  }
  return finish(core, linear, write, user, execute, rights, noExecute, frame, size);
}

/**
 * Checks the combined rights, sets accessed and dirty bits and fills the result. A walk that faults changes no entry:
 * translations that do not come about use none. PDPTEs of PAE paging have no accessed bit.
 */
function finish(
  core: CpuCore,
  linear: number,
  write: boolean,
  user: boolean,
  execute: boolean,
  rights: number,
  noExecute: boolean,
  frame: number,
  size: number,
): number {
  const r = core.r, memory = core.bus.memory;
  const userPage = (rights & U) !== 0, cr4 = r.i32(S.CR4), entersUser = !user && userPage;
  // Section 4.6.1: SMEP keeps the supervisor from running the user's code, SMAP from using its data.
  const guarded = entersUser && (cr4 & CR4.SMAP) !== 0, readable = !guarded || (r.i32(S.EFLAGS) & Flag.AC) !== 0;
  const writable = readable && ((rights & W) !== 0 || (!user && (r.i32(S.CR0) & CR0.WP) === 0));
  const allowed = execute ? !noExecute && !(entersUser && (cr4 & CR4.SMEP) !== 0) : readable && (!write || writable);
  if ((user && !userPage) || !allowed) return PageFaultCode.P;
  const leaf = level - 1;
  const first = (cr4 & CR4.PAE) !== 0 && !r.longMode ? 1 : 0;
  for (let i = first; i <= leaf; i++) {
    const bits = write && i === leaf ? A | D : A;
    if (!quiet) updateEntry(memory, i, bits);
    else if ((entryLow[i] & bits) !== bits) return PageFaultCode.P;
  }
  result.physical = frame + (size === PAGE_SIZE ? linear & (PAGE_SIZE - 1) : (linear >>> 0) % size);
  result.pageSize = size;
  result.readable = readable;
  result.guarded = guarded;
  result.writable = writable;
  result.user = userPage;
  result.noExecute = noExecute;
  result.dirty = write || (entryLow[leaf] & D) !== 0;
  result.global = (entryLow[leaf] & G) !== 0 && (cr4 & CR4.PGE) !== 0;
  return ALLOWED;
}

/**
 * True if the four PDPTEs at the page-directory pointer table `cr3` may be loaded: bits 1, 2, 5–8 and those above the
 * physical address width must be 0 in present ones. Section 4.4.1; violating it makes MOV to CR raise #GP(0).
 */
export function pdptesValid(core: CpuCore, cr3: number): boolean {
  const memory = core.bus.memory, table = (cr3 & 0xffffffe0) >>> 0;
  const reservedUpper = reservedHigh(core) | 0xfff0_0000;
  for (let i = 0; i < 4; i++) {
    const low = memory.read32(table + i * 8), high = memory.read32(table + i * 8 + 4);
    if ((low & P) !== 0 && ((low & 0x1e6) !== 0 || (high & reservedUpper) !== 0)) return false;
  }
  return true;
}
