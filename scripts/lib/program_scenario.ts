/**
 * Programs: loops, branches and calls around arithmetic that does not fault, in 16-, 32- or 64-bit code. What translators
 * do to flags, registers and control flow shows here; the noise seldom comes back to the same place.
 */
import type { CodeSize } from "../../lib/cpu/decode/mod.ts";
import { Access } from "../../lib/cpu/registers.ts";
import { CR0, CR4, EFER, Flag, S, Seg, Vector } from "../../lib/cpu/state.ts";
import type { PhysicalMemory } from "../../lib/machine/memory.ts";
import type { Random } from "./random.ts";
import { descriptor, FLAT, GDT, IDT, INTERRUPT_VECTOR, PLAYGROUND, type Scenario } from "./scenario.ts";

/** Code and data, each with a segment of its own in 16-bit code. */
const CODE = PLAYGROUND, DATA = 0x20000, HANDLER = 0xf000, STACK = 0x8000, PAGE_TABLES = 0x5000;
/** BP points to the middle of the data that displacements of a byte reach; loop counters lie below it. */
const MIDDLE = 0x200, FIRST_COUNTER = -0x7c;
const CODE_SELECTOR = 0x08, DATA_SELECTOR = 0x10;
const GENERAL = [0, 1, 2, 3, 6, 7];
const MOST_DEPTH = 3;

/** Writes the code of one program. */
class Writer {
  readonly #random: Random;
  readonly #bits: CodeSize;
  #counters = 0;

  constructor(random: Random, bits: CodeSize) {
    this.#random = random;
    this.#bits = bits;
  }

  /** A program that never ends. */
  program(): number[] {
    const body = this.sequence(12 + this.#random.below(20), 0);
    return [...body, 0xe9, ...this.#offset(-(body.length + 1))];
  }

  /** `count` pieces one after the other. */
  sequence(count: number, depth: number): number[] {
    const code: number[] = [];
    for (let i = 0; i < count; i++) code.push(...this.#piece(depth));
    return code;
  }

  #piece(depth: number): number[] {
    const random = this.#random;
    if (depth < MOST_DEPTH && random.oneIn(5)) return this.#compound(depth + 1);
    return random.pick([
      () => this.#arithmetic(),
      () => this.#arithmetic(),
      () => this.#arithmetic(),
      () => this.#unary(),
      () => this.#shift(),
      () => this.#twoByte(),
      () => this.#flags(),
      () => this.#stack(),
      () => this.#string(),
      () => this.#float(),
      () => this.#vector(),
    ])();
  }

  /** Something around a sequence: a loop, a branch, a call. */
  #compound(depth: number): number[] {
    const random = this.#random, inner = this.sequence(1 + random.below(6), depth);
    const short = inner.length < 120;
    switch (random.below(short ? 5 : 2)) {
      case 0:
        return this.#loop(inner);
      case 1: {
        // jmp over; function: inner; ret; over: call function
        const call = [0xe8, ...this.#offset(-(inner.length + 2))];
        return [0xe9, ...this.#offset(inner.length + 1, 0), ...inner, 0xc3, ...call];
      }
      case 2: {
        const other = this.sequence(1, MOST_DEPTH);
        return [0x70 + random.below(16), inner.length + 2, ...inner, 0xeb, other.length, ...other];
      }
      case 3:
        return [0xe3, inner.length, ...inner];
      default:
        return [0x70 + random.below(16), inner.length, ...inner];
    }
  }

  #loop(inner: number[]): number[] {
    const wide = this.#bits !== 16, at = this.#memory(FIRST_COUNTER + 4 * (this.#counters++ % 8));
    const count = 2 + this.#random.below(12);
    const start = [0xc7, ...at(0), count, 0, ...(wide ? [0, 0] : [])];
    const body = [...inner, 0xff, ...at(1)];
    return [...start, ...body, 0x0f, 0x85, ...this.#offset(-(body.length + 2))];
  }

  /** A relative offset, counted from its own first byte if `own` is 0, or such that what lies before it is passed, too. */
  #offset(distance: number, own = 1): number[] {
    const bytes = this.#bits === 16 ? 2 : 4, value = own === 0 ? distance : distance - bytes;
    return Array.from({ length: bytes }, (_, i) => (value >> (8 * i)) & 0xff);
  }

  /** ModRM and displacement of [BP + displacement]. */
  #memory(displacement: number): (reg: number) => number[] {
    return (reg) => [0x40 | reg << 3 | (this.#bits === 16 ? 6 : 5), displacement & 0xff];
  }

  #register(): number {
    return this.#random.pick(GENERAL);
  }

  /** ModRM for a register and a register or data; loop counters are out of reach. */
  #operands(reg: number): number[] {
    const { below, oneIn } = bound(this.#random);
    if (oneIn(2)) return [0xc0 | reg << 3 | this.#register()];
    return this.#memory(below(0x68))(reg);
  }

  /** Prefixes for an operand size, or for high registers. */
  #size(): number[] {
    const { below, oneIn } = bound(this.#random), prefix = oneIn(4) ? [0x66] : [];
    if (this.#bits !== 64 || oneIn(3)) return prefix;
    // REX.W and REX.R; REX.B would move [RBP].
    return [...prefix, 0x40 | below(2) << 3 | below(2) << 2];
  }

  #immediate(prefix: readonly number[], byte: boolean): number[] {
    const wide = prefix.some((value) => (value & 0xf8) === 0x48), small = prefix.includes(0x66);
    const bytes = byte ? 1 : wide ? 4 : (this.#bits === 16) !== small ? 2 : 4;
    return Array.from({ length: bytes }, () => this.#random.below(256));
  }

  #arithmetic(): number[] {
    const random = this.#random, prefix = this.#size(), operation = random.below(8) << 3;
    if (random.oneIn(3)) {
      const opcode = random.pick([0x80, 0x81, 0x83]);
      return [...prefix, opcode, ...this.#operands(operation >> 3), ...this.#immediate(prefix, opcode !== 0x81)];
    }
    if (random.oneIn(8)) return [...prefix, random.pick([0x84, 0x85, 0x86, 0x87]), ...this.#plain()];
    if (random.oneIn(3)) return [...prefix, random.pick([0x88, 0x89, 0x8a, 0x8b]), ...this.#plain()];
    return [...prefix, operation | random.below(4), ...this.#plain()];
  }

  #plain(): number[] {
    return this.#operands(this.#register());
  }

  #unary(): number[] {
    const random = this.#random, prefix = this.#size(), byte = random.oneIn(3) ? 0 : 1;
    switch (random.below(4)) {
      case 0:
        return [...prefix, 0xfe | byte, ...this.#operands(random.below(2))];
      case 1:
        return [...prefix, 0xf6 | byte, ...this.#operands(random.pick([2, 3, 4, 5]))];
      case 2:
        return [...prefix, 0xf6 | byte, ...this.#operands(0), ...this.#immediate(prefix, byte === 0)];
      default: {
        const opcode = random.pick([0x69, 0x6b]);
        return [...prefix, opcode, ...this.#plain(), ...this.#immediate(prefix, opcode === 0x6b)];
      }
    }
  }

  #shift(): number[] {
    const random = this.#random, prefix = this.#size(), byte = random.below(2), kind = random.below(8);
    if (random.oneIn(3)) return [...prefix, 0xc0 | byte, ...this.#operands(kind), random.below(256)];
    return [...prefix, 0xd0 | random.below(4), ...this.#operands(kind)];
  }

  #twoByte(): number[] {
    const random = this.#random, prefix = this.#size();
    switch (random.below(6)) {
      case 0:
        return [...prefix, 0x0f, 0x40 + random.below(16), ...this.#plain()];
      case 1:
        return [0x0f, 0x90 + random.below(16), ...this.#operands(0)];
      case 2:
        return [...prefix, 0x0f, random.pick([0xa4, 0xac]), ...this.#plain(), random.below(40)];
      case 3:
        return [...prefix, 0x0f, 0xba, ...this.#operands(4 + random.below(4)), random.below(64)];
      case 4:
        return [...prefix, 0x0f, random.pick([0xb0, 0xb1, 0xc0, 0xc1, 0xa5, 0xad]), ...this.#plain()];
      default:
        return [...prefix, 0x0f, random.pick([0xaf, 0xb6, 0xb7, 0xbe, 0xbf, 0xbc, 0xbd]), ...this.#plain()];
    }
  }

  #flags(): number[] {
    const { pick } = bound(this.#random);
    return [pick([0xf5, 0xf8, 0xf9, 0x98, 0x99, 0x9e, 0x9f])];
  }

  #stack(): number[] {
    const random = this.#random, inner = this.#arithmetic();
    if (random.oneIn(4)) return [0x9c, ...inner, 0x9d];
    return [0x50 + this.#register(), ...inner, 0x58 + this.#register()];
  }

  /** A repeated string instruction between two places of the data. */
  #string(): number[] {
    const { below, pick } = bound(this.#random);
    const count = [0xb9, 1 + below(40), 0, ...(this.#bits === 16 ? [] : [0, 0])];
    const source = [0x8d, ...this.#memory(below(0x20))(6)],
      destination = [0x8d, ...this.#memory(0x20 + below(0x30))(7)];
    const operation = pick([0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf]);
    return [...source, ...destination, ...count, pick([0xf2, 0xf3]), operation];
  }

  #float(): number[] {
    const { below, pick } = bound(this.#random);
    const load = [pick([0xd9, 0xdd, 0xdb, 0xdf]), ...this.#memory(below(0x60))(0)];
    const operate = [0xd8, pick([0xc0, 0xc8, 0xe0, 0xe8]) | below(2)];
    return [0xd9, 0xe8, ...load, ...operate, pick([0xd9, 0xdd]), ...this.#memory(below(0x60))(3), 0xdd, 0xd8];
  }

  #vector(): number[] {
    const { below, pick } = bound(this.#random), reg = below(8);
    const move = [0x0f, pick([0x10, 0x11]), ...this.#memory(below(0x58))(reg)];
    const prefix = pick([[], [0x66], [0xf2], [0xf3]]);
    const float = [...prefix, 0x0f, pick([0x58, 0x59, 0x5c, 0x5d, 0x5f, 0x51]), 0xc0 | reg << 3 | below(8)];
    const whole = [0x66, 0x0f, pick([0xef, 0xfe, 0xd4, 0xfa, 0xdb, 0xeb, 0x76, 0x66]), 0xc0 | reg << 3 | below(8)];
    return [...move, ...pick([float, whole])];
  }
}

/** The draws of `random` as plain functions. */
function bound(random: Random): Pick<Random, "below" | "oneIn" | "pick"> {
  return {
    below: (limit) => random.below(limit),
    oneIn: (n) => random.oneIn(n),
    pick: (items) => random.pick(items),
  };
}

function writeLongTables(memory: PhysicalMemory): void {
  memory.write32(PAGE_TABLES, (PAGE_TABLES + 0x1000) | 7);
  memory.write32(PAGE_TABLES + 0x1000, (PAGE_TABLES + 0x2000) | 7);
  memory.write32(PAGE_TABLES + 0x2000, 0x87);
}

/** Programs in code of that size. */
export function programs(bits: CodeSize): Scenario {
  return {
    name: `${bits}-bit programs`,
    gap: 5000,
    prepare(cpu, memory, random) {
      const { r } = cpu, small = bits === 16;
      const size = small ? Access.PRESENT | Access.S | Access.READ_WRITE | Access.ACCESSED : FLAT;
      const code = (bits === 64 ? (size & ~Access.BIG) | Access.LONG : size) | Access.CODE;
      const limit = small ? 0xffff : 0xfffff, bytes = small ? 0xffff : 0xffff_ffff;
      descriptor(memory, CODE_SELECTOR, code, small ? CODE : 0, limit);
      descriptor(memory, DATA_SELECTOR, size, small ? DATA : 0, limit);
      const handler = small ? HANDLER : CODE + HANDLER;
      for (const vector of [Vector.NMI, INTERRUPT_VECTOR]) {
        const gate = IDT + vector * (bits === 64 ? 16 : 8);
        memory.write32(gate, CODE_SELECTOR << 16 | handler & 0xffff);
        memory.write32(gate + 4, (handler & 0xffff_0000) | (small ? 0x8600 : 0x8e00));
      }
      memory.write(CODE + HANDLER, new Uint8Array(bits === 64 ? [0x48, 0xcf] : [0xcf]));
      memory.write(CODE, Uint8Array.from(new Writer(random, bits).program()));
      memory.write(DATA, random.bytes(0x400));
      r.setSegment(Seg.CS, CODE_SELECTOR, small ? CODE : 0, bytes, code);
      for (const segment of [Seg.ES, Seg.SS, Seg.DS, Seg.FS, Seg.GS]) {
        r.setSegment(segment, DATA_SELECTOR, small ? DATA : 0, bytes, size);
      }
      r.setI32(S.CPL, 0);
      r.setNumber(S.GDTR_BASE, GDT);
      r.setI32(S.GDTR_LIMIT, 0xff);
      r.setNumber(S.IDTR_BASE, IDT);
      r.setI32(S.IDTR_LIMIT, 0xfff);
      r.setI32(S.CR4, CR4.OSFXSR | CR4.OSXMMEXCPT | (bits === 64 ? CR4.PAE : 0));
      r.setNumber(S.CR0, CR0.PE | CR0.ET | CR0.NE | (bits === 64 ? CR0.PG >>> 0 : 0));
      if (bits === 64) {
        writeLongTables(memory);
        r.setNumber(S.CR3, PAGE_TABLES);
        r.setNumber(S.EFER, EFER.LME | EFER.LMA);
      }
      r.setI32(S.FCW, 0x37f);
      r.eflags = 2 | Flag.IF;
      for (const register of GENERAL) r.set32(register, random.u32());
      r.set32(4, (small ? 0 : DATA) + STACK);
      r.set32(5, (small ? 0 : DATA) + MIDDLE);
      r.ip = small ? 0 : CODE;
    },
  };
}
