/**
 * The instruction decoder for 16-, 32- and 64-bit code. Source: Intel SDM vol. 2A, chapter 2 (formats and prefixes), driven
 * by the opcode map of opcodes_*.ts.
 */
import type { CodeSize, DecodeStatus, Instruction, MemoryOperand, Operand, RegisterOperand } from "./instruction.ts";
import { type Form, FormFlag, formIndex, OpcodeMap, type OpcodeTable, opcodeTable, TableMode } from "./table.ts";
import { Method, type OperandSpec, REGISTERS, Width } from "./operands.ts";

/** Longest instruction in bytes. */
export const MAX_LENGTH = 15;

/** Prefix columns of the opcode map. */
const Column = { NONE: 0, P66: 1, F3: 2, F2: 3 } as const;

const REX = { B: 1, X: 2, R: 4, W: 8 } as const;

/** Base and index registers of 16-bit addressing by ModRM.rm. SDM vol. 2A, table 2-1. */
const BASE16 = [3, 3, 5, 5, 6, 7, 5, 3] as const;
const INDEX16 = [6, 7, 6, 7, -1, -1, -1, -1] as const;

const ES = 0, CS = 1, SS = 2, DS = 3;
const SI = 6, DI = 7;
/** Base register number that stands for the next instruction's address. */
const RIP = 16;

const NONE: readonly Operand[] = [];

// Much of what is decoded survives a collection, and what literals make V8 would then allocate in the old generation.

class EmptyInstruction implements Instruction {
  mnemonic = "ud";
  operands = NONE.slice();
  length = 0;
  displacementAt = 0;
  immediateAt = 0;
  relativeAt = 0;
  operandSize: CodeSize = 32;
  addressSize: CodeSize = 32;
  segment = DS;
  lock = false;
  repeat: Instruction["repeat"] = "";
  escape: number | undefined = undefined;
  vex = false;
}

class DecodedMemory implements MemoryOperand {
  readonly kind = "mem";
  disp64?: bigint;

  constructor(
    public size: number,
    public segment: number,
    public base: number,
    public index: number,
    public scale: MemoryOperand["scale"],
    public disp: number,
    public addressSize: CodeSize,
  ) {}
}

/** Makes an instruction for {@link decode} to fill. */
export function newInstruction(): Instruction {
  return new EmptyInstruction();
}

/** State of one decoding; reused, since decoding never nests. */
class Decoder {
  #table: OpcodeTable | null = null;
  #bytes: Uint8Array = new Uint8Array(0);
  #pos = 0;
  #limit = 0;
  #overrun = false;
  #codeSize: CodeSize = 32;
  #operandSize: CodeSize = 32;
  #addressSize: CodeSize = 32;
  /** Segment override, or -1. */
  #override = -1;
  #rex = 0;
  /** A REX prefix is in effect, even one without bits: it selects SPL, BPL, SIL and DIL. */
  #hasRex = false;
  #opcode = 0;
  #modrm = 0;
  /** Where displacement, first immediate value and relative target begin, -1 if there are none. */
  #displacement = -1;
  #firstImmediate = -1;
  #relative = -1;
  /** An operand turned out to be reserved. */
  #invalid = false;
  /** The operands read, and older ones behind them. */
  readonly #operands: Operand[] = [];

  decode(bytes: Uint8Array, offset: number, end: number, codeSize: CodeSize, out: Instruction): DecodeStatus {
    const table = this.#table ??= opcodeTable();
    this.#bytes = bytes;
    this.#pos = offset;
    this.#limit = Math.min(end, offset + MAX_LENGTH);
    this.#overrun = false;
    this.#codeSize = codeSize;
    this.#override = -1;
    this.#rex = 0;
    this.#hasRex = false;
    this.#displacement = this.#firstImmediate = this.#relative = -1;
    this.#invalid = false;

    let lock = false, size66 = false, size67 = false, repeat = 0, opcode = 0;
    for (let scanning = true; scanning;) {
      opcode = this.#u8();
      switch (opcode) {
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e:
          // The four old segment overrides have no effect in 64-bit code.
          if (codeSize !== 64) this.#override = opcode >> 3 & 3;
          this.#clearRex();
          break;
        case 0x64:
        case 0x65:
          this.#override = opcode & 7;
          this.#clearRex();
          break;
        case 0x66:
          size66 = true;
          this.#clearRex();
          break;
        case 0x67:
          size67 = true;
          this.#clearRex();
          break;
        case 0xf0:
          lock = true;
          this.#clearRex();
          break;
        case 0xf2:
        case 0xf3:
          repeat = opcode;
          this.#clearRex();
          break;
        default:
          if (codeSize === 64 && (opcode & 0xf0) === 0x40) {
            this.#rex = opcode & 0x0f;
            this.#hasRex = true;
          } else {
            scanning = false;
          }
      }
    }
    const rexW = (this.#rex & REX.W) !== 0;
    const mode = codeSize !== 64 ? TableMode.LEGACY : rexW ? TableMode.LONG_W : TableMode.LONG;
    this.#operandSize = rexW ? 64 : codeSize === 16 ? (size66 ? 32 : 16) : (size66 ? 16 : 32);
    this.#addressSize = codeSize === 64 ? (size67 ? 32 : 64) : size67 ? (codeSize === 16 ? 32 : 16) : codeSize;

    let map: number = OpcodeMap.BASE;
    if (opcode === 0x0f) {
      opcode = this.#u8();
      map = OpcodeMap.TWO_BYTE;
      if (opcode === 0x38 || opcode === 0x3a) {
        map = opcode === 0x38 ? OpcodeMap.M0F38 : OpcodeMap.M0F3A;
        opcode = this.#u8();
      }
    }
    this.#opcode = opcode;
    const column = repeat === 0xf3 ? Column.F3 : repeat === 0xf2 ? Column.F2 : size66 ? Column.P66 : Column.NONE;
    const exchange = opcode === 0x90 && map === OpcodeMap.BASE && (this.#rex & REX.B) !== 0;
    const node = table.node(map, exchange ? 0x91 : opcode);
    const forms = node.forms(mode);
    let form: Form, memory: MemoryOperand | null = null, vex = false;
    if (node.modrm) {
      this.#modrm = this.#u8();
      form = table.forms[forms[formIndex(column, this.#modrm)]];
      vex = form === table.forms[0] && map === OpcodeMap.BASE &&
        (opcode === 0xc4 || opcode === 0xc5 || opcode === 0x62);
      if (this.#modrm < 0xc0 && !vex && (form.flags & FormFlag.ANY_MOD) === 0) memory = this.#memory();
    } else {
      form = table.forms[forms[column]];
    }
    const flags = form.flags;
    if (codeSize === 64) {
      if ((flags & FormFlag.F64) !== 0) this.#operandSize = 64;
      else if ((flags & FormFlag.D64) !== 0) this.#operandSize = size66 && !rexW ? 16 : 64;
    }

    const { length } = form.operands, read = this.#operands;
    for (let i = 0; i < length; i++) read[i] = this.#operand(form.operands[i], memory);
    // In a list no longer than that: one that grows has room for 17.
    const operands = read.slice(0, length);
    if (form === table.forms[0] && !vex) { for (const spec of node.tail) this.#operand(spec, memory); }
    const lockable = (flags & FormFlag.LOCK) !== 0 && operands[0].kind === "mem";
    const undefinedForm = form === table.forms[0] || this.#invalid || (lock && !lockable);

    out.mnemonic = undefinedForm ? "ud" : form.mnemonic;
    out.operands = undefinedForm ? NONE.slice() : operands;
    out.length = this.#pos - offset;
    out.displacementAt = Math.max(0, this.#displacement - offset);
    out.immediateAt = Math.max(0, this.#firstImmediate - offset);
    out.relativeAt = Math.max(0, this.#relative - offset);
    out.operandSize = this.#operandSize;
    out.addressSize = this.#addressSize;
    out.segment = this.#override >= 0 ? this.#override : DS;
    out.lock = lock && !undefinedForm;
    out.repeat = (flags & FormFlag.STRING) === 0 || repeat === 0 ? "" : repeat === 0xf3 ? "rep" : "repne";
    out.escape = map === OpcodeMap.BASE && (opcode & 0xf8) === 0xd8 ? (opcode & 7) << 8 | this.#modrm : undefined;
    out.vex = vex;
    if (!this.#overrun) return "ok";
    if (this.#limit < offset + MAX_LENGTH) return "truncated";
    out.mnemonic = "toolong";
    out.operands = [];
    out.length = MAX_LENGTH;
    out.lock = false;
    out.repeat = "";
    return "ok";
  }

  /** A REX prefix counts only directly before the opcode. */
  #clearRex(): void {
    this.#rex = 0;
    this.#hasRex = false;
  }

  #u8(): number {
    if (this.#pos < this.#limit) return this.#bytes[this.#pos++];
    this.#overrun = true;
    return 0;
  }

  #u16(): number {
    const low = this.#u8();
    return low | this.#u8() << 8;
  }

  #s32(): number {
    const low = this.#u16();
    return low | this.#u16() << 16;
  }

  #u64(): bigint {
    const low = BigInt(this.#s32() >>> 0);
    return low | BigInt(this.#s32() >>> 0) << 32n;
  }

  #s8(): number {
    return this.#u8() << 24 >> 24;
  }

  #s16(): number {
    return this.#u16() << 16 >> 16;
  }

  /** Decodes ModRM, SIB and displacement. SDM vol. 2A, section 2.1.5. */
  #memory(): MemoryOperand {
    const modrm = this.#modrm, mod = modrm >> 6, rm = modrm & 7, rex = this.#rex;
    let base: number, index = -1, scale: 1 | 2 | 4 | 8 = 1, disp = 0, at = this.#pos;
    if (this.#addressSize === 16) {
      base = BASE16[rm];
      index = INDEX16[rm];
      if (mod === 0 && rm === 6) {
        base = -1;
        disp = this.#s16();
      } else if (mod === 1) disp = this.#s8();
      else if (mod === 2) disp = this.#s16();
    } else {
      base = rm | (rex & REX.B) << 3;
      if (rm === 4) {
        const sib = this.#u8();
        const scaled = sib >> 3 & 7 | (rex & REX.X) << 2;
        base = sib & 7 | (rex & REX.B) << 3;
        if (scaled !== 4) {
          index = scaled;
          scale = 1 << (sib >> 6) as 1 | 2 | 4 | 8;
        }
        if ((sib & 7) === 5 && mod === 0) base = -1;
        at = this.#pos;
      } else if (rm === 5 && mod === 0) {
        base = this.#codeSize === 64 ? RIP : -1;
      }
      if (mod === 1) disp = this.#s8();
      else if (mod === 2 || base === -1 || base === RIP) disp = this.#s32();
    }
    if (this.#pos > at) this.#displacement = at;
    const segment = this.#override >= 0 ? this.#override : base === 4 || base === 5 ? SS : DS;
    return new DecodedMemory(0, segment, base, index, scale, disp, this.#addressSize);
  }

  /** Width in bits of an operand. */
  #width(width: number): number {
    const size = this.#operandSize;
    switch (width) {
      case Width.V:
        return size;
      case Width.Z:
        return size === 16 ? 16 : 32;
      case Width.Y:
        return size === 64 ? 64 : 32;
      case Width.N:
        return this.#codeSize === 64 ? 64 : 32;
      case Width.P:
        return size + 16;
      case Width.A:
        return size * 2;
      default:
        return width;
    }
  }

  #general(reg: number, size: number): RegisterOperand {
    switch (size) {
      case 8:
        return reg >= 4 && !this.#hasRex ? REGISTERS.gpr8h[reg - 4] : REGISTERS.gpr8[reg];
      case 16:
        return REGISTERS.gpr16[reg];
      case 32:
        return REGISTERS.gpr32[reg];
      default:
        return REGISTERS.gpr64[reg];
    }
  }

  #sse(reg: number, size: number): RegisterOperand {
    switch (size) {
      case 16:
        return REGISTERS.xmm16[reg];
      case 32:
        return REGISTERS.xmm32[reg];
      case 64:
        return REGISTERS.xmm64[reg];
      default:
        return REGISTERS.xmm128[reg];
    }
  }

  #mmx(reg: number, size: number): RegisterOperand {
    return size === 32 ? REGISTERS.mm32[reg] : REGISTERS.mm64[reg];
  }

  #reg(): number {
    return this.#modrm >> 3 & 7 | (this.#rex & REX.R) << 1;
  }

  #rm(): number {
    return this.#modrm & 7 | (this.#rex & REX.B) << 3;
  }

  #stringMemory(base: number, segment: number, size: number): MemoryOperand {
    return new DecodedMemory(size, segment, base, -1, 1, 0, this.#addressSize);
  }

  #operand(spec: OperandSpec, memory: MemoryOperand | null): Operand {
    if (spec.fixed !== null) return spec.fixed;
    const size = this.#width(spec.width);
    switch (spec.method) {
      case Method.A: {
        const offset = this.#operandSize === 16 ? this.#u16() : this.#s32() >>> 0;
        return { kind: "far", selector: this.#u16(), offset, size: this.#operandSize };
      }
      case Method.C:
        return this.#control(size);
      case Method.D: {
        if ((this.#rex & REX.R) !== 0) this.#invalid = true;
        const reg = this.#modrm >> 3 & 7;
        return size === 64 ? REGISTERS.dr64[reg] : REGISTERS.dr32[reg];
      }
      case Method.E:
      case Method.M:
      case Method.R:
        if (memory === null) return this.#general(this.#rm(), size);
        memory.size = size;
        return memory;
      case Method.N:
      case Method.Q:
        if (memory === null) return this.#mmx(this.#modrm & 7, size);
        memory.size = size;
        return memory;
      case Method.U:
      case Method.W:
        if (memory === null) return this.#sse(this.#rm(), size);
        memory.size = size;
        return memory;
      case Method.G:
        return this.#general(this.#reg(), size);
      case Method.P:
        return this.#mmx(this.#modrm >> 3 & 7, size);
      case Method.V:
        return this.#sse(this.#reg(), size);
      case Method.I:
        this.#noteImmediate();
        return this.#immediate(spec, size);
      case Method.UNSIGNED:
        this.#noteImmediate();
        return { kind: "imm", value: spec.bytes === 1 ? this.#u8() : this.#u16(), size };
      case Method.J: {
        this.#relative = this.#pos;
        const value = spec.bytes === 1 ? this.#s8() : this.#operandSize === 16 ? this.#s16() : this.#s32();
        return { kind: "rel", value, size: this.#operandSize };
      }
      case Method.O:
        return this.#absolute(size);
      case Method.S: {
        const reg = this.#modrm >> 3 & 7;
        // 8E cannot load CS; 6 and 7 are no segment registers.
        if (reg > 5 || (reg === CS && this.#opcode === 0x8e)) this.#invalid = true;
        return REGISTERS.seg[reg > 5 ? 0 : reg];
      }
      case Method.X:
        return this.#stringMemory(SI, this.#override >= 0 ? this.#override : DS, size);
      case Method.Y:
        return this.#stringMemory(DI, ES, size);
      case Method.Z:
        return this.#general(this.#opcode & 7 | (this.#rex & REX.B) << 3, size);
      case Method.ST:
        return REGISTERS.st[this.#modrm & 7];
      default:
        return this.#general(0, size);
    }
  }

  #noteImmediate(): void {
    if (this.#firstImmediate < 0) this.#firstImmediate = this.#pos;
  }

  /** CR0, CR2, CR3, CR4 and, in 64-bit code, CR8 exist. */
  #control(size: number): RegisterOperand {
    const reg = this.#reg();
    if (reg !== 0 && reg !== 2 && reg !== 3 && reg !== 4 && reg !== 8) this.#invalid = true;
    return size === 64 ? REGISTERS.cr64[reg] : REGISTERS.cr32[reg];
  }

  #immediate(spec: OperandSpec, size: number): Operand {
    if (spec.bytes === 1) return { kind: "imm", value: this.#s8(), size };
    const operandSize = this.#operandSize;
    if (operandSize === 16) return { kind: "imm", value: this.#s16(), size: operandSize };
    if (operandSize === 32 || spec.width === Width.Z) return { kind: "imm", value: this.#s32(), size: operandSize };
    const wide = BigInt.asIntN(64, this.#u64());
    return { kind: "imm", value: Number(BigInt.asIntN(32, wide)), wide, size: operandSize };
  }

  /** The offset of MOV moffs, as wide as an address. */
  #absolute(size: number): MemoryOperand {
    const operand = this.#stringMemory(-1, this.#override >= 0 ? this.#override : DS, size);
    this.#displacement = this.#pos;
    if (this.#addressSize === 64) {
      const offset = BigInt.asIntN(64, this.#u64());
      if (offset === BigInt.asIntN(32, offset)) operand.disp = Number(offset);
      else operand.disp64 = offset;
    } else {
      operand.disp = this.#addressSize === 16 ? this.#s16() : this.#s32();
    }
    return operand;
  }
}

const decoder = new Decoder();

/**
 * Decodes the instruction at `bytes[offset]` into `out`, looking no further than `end`.
 *
 * @returns "truncated" if `end` cuts the instruction off, then `out` holds nothing of use: call again with more bytes (15 are
 * always enough). Undefined encodings give the mnemonic `ud`, more than 15 bytes `toolong`.
 */
export function decode(
  bytes: Uint8Array,
  offset: number,
  end: number,
  codeSize: CodeSize,
  out: Instruction,
): DecodeStatus {
  return decoder.decode(bytes, offset, end, codeSize, out);
}
