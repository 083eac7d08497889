/** Looks into a saved machine as its own code would: registers by name, memory through paging, the instruction at RIP. */
import { type CodeSize, decode, disassemble, newInstruction } from "../../lib/cpu/decode/mod.ts";
import { CR0, CR4, EFER, Flag, SEG, Seg } from "../../lib/cpu/state.ts";
import type { SavedMachine } from "../../lib/machine/machine.ts";
import { hex } from "./text.ts";

const PAGE = 4096, MAX_LENGTH = 15;
const NAMES = "ax cx dx bx sp bp si di".split(" ");
const SEGMENTS = "es cs ss ds fs gs ldtr tr".split(" ");
const CONTROL = ["cr0", "cr2", "cr3", "cr4", "cr8", "efer"] as const;
/** Bits of {@link SEG.ACCESS} that say what size code has. */
const LONG = 1 << 13, BIG = 1 << 14;

/** A saved machine's processor and memory. */
export class SavedView {
  readonly #cpu: Record<string, unknown>;
  readonly #memory: SavedMachine["memory"];
  readonly #ram: number;
  readonly #index: ReadonlyMap<number, number>;

  constructor({ cpu, memory, config }: SavedMachine) {
    this.#cpu = cpu;
    this.#memory = memory;
    this.#ram = config.memory;
    this.#index = new Map(Array.from(memory.pages, (page, i) => [page, i]));
  }

  get rip(): bigint {
    return this.#number("rip");
  }

  get eflags(): number {
    return this.#cpu.eflags as number;
  }

  /** Width of the running code in bits. */
  get codeSize(): CodeSize {
    const access = this.#segmentField(Seg.CS, SEG.ACCESS);
    if ((this.#number("efer") & BigInt(EFER.LMA)) !== 0n && (access & LONG) !== 0) return 64;
    return this.#protected && (access & BIG) !== 0 ? 32 : 16;
  }

  get #protected(): boolean {
    return (this.#number("cr0") & BigInt(CR0.PE)) !== 0n && (this.eflags & Flag.VM) === 0;
  }

  /** Linear address of the next instruction. */
  get linearIp(): bigint {
    const ip = this.rip;
    return this.codeSize === 64 ? ip : BigInt.asUintN(32, ip + this.#segments[Seg.CS * SEG.SIZE / 8]);
  }

  /** Selector, RIP, bytes and text of the next instruction. */
  get place(): string {
    const selector = this.#segmentField(Seg.CS, SEG.SELECTOR) & 0xffff;
    const where = `${hex(selector, 4)}:${hex(this.rip, this.codeSize / 4)}`;
    const bytes = this.#fetch();
    if (bytes.length === 0) return `${where}  (not in RAM)`;
    const instruction = newInstruction();
    decode(bytes, 0, bytes.length, this.codeSize, instruction);
    const shown = bytes.subarray(0, Math.max(1, instruction.length)).toHex();
    return `${where}  ${shown.padEnd(22)}  ${disassemble(instruction, Number(this.rip))}`;
  }

  /** Physical address behind a linear one; -1 if it is not mapped. */
  physical(linear: bigint): number {
    const cr0 = this.#number("cr0"), cr4 = this.#number("cr4"), cr3 = Number(this.#number("cr3") & 0xf_ffff_ffff_f000n);
    if ((cr0 & (BigInt(CR0.PG) & 0xffff_ffffn)) === 0n) return Number(linear);
    if ((cr4 & BigInt(CR4.PAE)) === 0n) return this.#walk(linear, cr3, [22n, 12n], 10n, 4);
    if ((this.#number("efer") & BigInt(EFER.LMA)) !== 0n) return this.#walk(linear, cr3, [39n, 30n, 21n, 12n], 9n, 8);
    return this.#walk(linear, Number(this.#number("cr3") & 0xffff_ffe0n), [30n, 21n, 12n], 9n, 8);
  }

  #walk(linear: bigint, table: number, shifts: readonly bigint[], bits: bigint, entryBytes: 4 | 8): number {
    for (const shift of shifts) {
      const index = Number(BigInt.asUintN(Number(bits), linear >> shift));
      const entry = this.#entry(table + index * entryBytes, entryBytes);
      if ((entry & 1n) === 0n) return -1;
      const large = (entry & 0x80n) !== 0n && shift !== 12n && shift < 39n;
      if (large || shift === 12n) {
        const frame = BigInt.asUintN(52, entry) >> shift << shift;
        return Number(frame + BigInt.asUintN(Number(shift), linear));
      }
      table = Number(BigInt.asUintN(52, entry) & ~0xfffn);
    }
    return -1;
  }

  #entry(address: number, bytes: 4 | 8): bigint {
    const data = this.bytesAt(address, bytes);
    if (data.length < bytes) return 0n;
    const view = new DataView(data.buffer);
    return bytes === 8 ? view.getBigUint64(0, true) : BigInt(view.getUint32(0, true));
  }

  /** Up to `length` bytes of RAM from physical `address`, as many as there are in its page. */
  bytesAt(address: number, length: number): Uint8Array<ArrayBuffer> {
    if (address < 0 || address >= this.#ram) return new Uint8Array(0);
    const count = Math.min(length, PAGE - address % PAGE), page = this.#index.get(Math.floor(address / PAGE));
    if (page === undefined) return new Uint8Array(count);
    const at = page * PAGE + address % PAGE;
    return Uint8Array.from(this.#memory.data.subarray(at, at + count));
  }

  #fetch(): Uint8Array {
    const linear = this.linearIp, first = this.bytesAt(this.physical(linear), MAX_LENGTH);
    if (first.length === 0 || first.length === MAX_LENGTH) return first;
    const rest = this.bytesAt(this.physical(linear + BigInt(first.length)), MAX_LENGTH - first.length);
    return Uint8Array.from([...first, ...rest]);
  }

  /** Every register: name and value in hexadecimal. */
  registers(): Map<string, string> {
    const long = this.codeSize === 64, width = long ? 16 : 8, shown = new Map<string, string>();
    const gpr = this.#cpu.gpr as BigUint64Array;
    for (let i = 0; i < (long ? 16 : 8); i++) {
      shown.set(
        i < 8 ? (long ? "r" : "e") + NAMES[i] : `r${i}`,
        hex(long ? gpr[i] : BigInt.asUintN(32, gpr[i]), width),
      );
    }
    shown.set(long ? "rip" : "eip", hex(this.rip, width));
    shown.set("eflags", hex(this.eflags, 8));
    SEGMENTS.forEach((name, i) => shown.set(name, hex(this.#segmentField(i, SEG.SELECTOR), 4)));
    for (const name of CONTROL) shown.set(name, hex(this.#number(name), 8));
    const x87 = this.#cpu.x87 as BigUint64Array, top = Number(this.#number("ftop"));
    for (let i = 0; i < 8; i++) {
      const at = ((top + i) & 7) * 2;
      shown.set(`st${i}`, `${hex(BigInt.asUintN(16, x87[at + 1]), 4)}.${hex(x87[at], 16)}`);
    }
    for (const name of ["fcw", "fsw", "ftop", "ftw", "mxcsr"]) shown.set(name, hex(this.#number(name), 4));
    const xmm = this.#cpu.xmm as BigUint64Array;
    for (let i = 0; i < (long ? 16 : 8); i++) shown.set(`xmm${i}`, hex(xmm[i * 4 + 1], 16) + hex(xmm[i * 4], 16));
    return shown;
  }

  get #segments(): BigUint64Array {
    return this.#cpu.segments as BigUint64Array;
  }

  #segmentField(segment: number, field: number): number {
    const word = this.#segments[Math.floor((segment * SEG.SIZE + field) / 8)];
    return Number(field % 8 === 0 ? word & 0xffff_ffffn : word >> 32n);
  }

  #number(name: string): bigint {
    return BigInt((this.#cpu[name] as BigUint64Array | Uint32Array)[0]);
  }
}
