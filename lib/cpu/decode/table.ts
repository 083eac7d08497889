/** Expands the textual opcode map, opcode by opcode as they are first met, into arrays that the decoder indexes. */
import { BASE_OPCODES } from "./opcodes_base.ts";
import { OPCODES_0F38, OPCODES_0F3A, TWO_BYTE_OPCODES } from "./opcodes_0f.ts";
import { X87_OPCODES } from "./opcodes_x87.ts";
import { Method, type OperandSpec, parseOperand } from "./operands.ts";

/** Properties of a form; a set of bits. */
export const FormFlag = {
  /** Operand size is 64 by default in 64-bit code. */
  D64: 1,
  /** Operand size is always 64 in 64-bit code. */
  F64: 2,
  /** LOCK is legal with a memory destination. */
  LOCK: 4,
  /** F2 and F3 are repeat prefixes. */
  STRING: 8,
  /** ModRM.mod is ignored: rm names a register. */
  ANY_MOD: 16,
} as const;

/** One entry of the opcode map. */
export interface Form {
  readonly mnemonic: string;
  readonly operands: readonly OperandSpec[];
  /** A set of {@link FormFlag}. */
  readonly flags: number;
}

/** The opcode maps. */
export const OpcodeMap = { BASE: 0, TWO_BYTE: 1, M0F38: 2, M0F3A: 3 } as const;

/** Columns of the map by mandatory prefix: none, 66, F3, F2. */
const PREFIXES = 4;
/** Memory forms by ModRM.reg, then register forms by the low six bits of ModRM. */
const SLOTS = 8 + 64;

/** Code mode as the table sees it. */
export const TableMode = { LEGACY: 0, LONG: 1, LONG_W: 2 } as const;
const MODES = 3;

interface Rule {
  form: number;
  /** Bit per prefix column. */
  prefixes: number;
  /** Bit per {@link TableMode}. */
  modes: number;
  /** The ModRM slots that it covers; null for an opcode without ModRM. */
  slots: number[] | null;
}

const ATTRIBUTES: Record<string, { flag?: number; modes?: number }> = {
  i64: { modes: 0b001 },
  o64: { modes: 0b110 },
  w0: { modes: 0b011 },
  w1: { modes: 0b100 },
  d64: { flag: FormFlag.D64 },
  f64: { flag: FormFlag.F64 },
  lock: { flag: FormFlag.LOCK },
  str: { flag: FormFlag.STRING },
  anymod: { flag: FormFlag.ANY_MOD },
};

const { A, FIXED, I, UNSIGNED, J, O, X, Y, Z, ACCUMULATOR, ST, M, N, R, U } = Method;
const WITHOUT_MODRM: readonly number[] = [A, FIXED, I, UNSIGNED, J, O, X, Y, Z, ACCUMULATOR, ST];
const REGISTER_ONLY: readonly number[] = [N, R, U];

/** One opcode of one map. */
export class OpcodeNode {
  /** A ModRM byte follows the opcode. */
  modrm = false;
  readonly rules: Rule[] = [];
  /** Immediates that follow an undefined encoding of this opcode, so that a disassembly stays in step. */
  tail: readonly OperandSpec[] = [];
  readonly #forms: (Uint16Array | null)[] = new Array(MODES).fill(null);

  /** Form numbers by `prefix * SLOTS + slot`, or by `prefix` alone where there is no ModRM byte; 0 is undefined. */
  forms(mode: number): Uint16Array {
    return this.#forms[mode] ??= this.#expand(mode);
  }

  #expand(mode: number): Uint16Array {
    const width = this.modrm ? SLOTS : 1;
    const forms = new Uint16Array(PREFIXES * width);
    for (const rule of this.rules) {
      if ((rule.modes >> mode & 1) === 0) continue;
      for (let prefix = 0; prefix < PREFIXES; prefix++) {
        if ((rule.prefixes >> prefix & 1) === 0) continue;
        for (const slot of rule.slots ?? [0]) forms[prefix * width + slot] ||= rule.form;
      }
    }
    return forms;
  }
}

/** Position in {@link OpcodeNode.forms} of a prefix column and a ModRM byte. */
export function formIndex(prefix: number, modrm: number): number {
  return prefix * SLOTS + (modrm < 0xc0 ? modrm >> 3 & 7 : 8 + (modrm & 0x3f));
}

/** The tables' texts, by {@link OpcodeMap}. */
const TEXTS: readonly (readonly [map: number, text: string])[] = [
  [OpcodeMap.BASE, BASE_OPCODES],
  [OpcodeMap.BASE, X87_OPCODES],
  [OpcodeMap.TWO_BYTE, TWO_BYTE_OPCODES],
  [OpcodeMap.M0F38, OPCODES_0F38],
  [OpcodeMap.M0F3A, OPCODES_0F3A],
];

/**
 * The whole map. Sixteen opcodes of one of the four at a time are parsed when they are first looked at: a guest's start
 * needs few.
 */
export class OpcodeTable {
  /** Form 0 stands for every undefined encoding. */
  readonly forms: Form[] = [{ mnemonic: "ud", operands: [], flags: 0 }];
  /** By `map * 256 + opcode`, as far as they are parsed. */
  readonly #nodes: OpcodeNode[] = [];

  /** What an opcode of a map means. */
  node(map: number, opcode: number): OpcodeNode {
    return this.#nodes[map * 256 + opcode] ?? this.#load(map, opcode >> 4)[map * 256 + opcode];
  }

  /** The map with everything parsed. */
  complete(): this {
    for (const [map] of TEXTS) for (let opcode = 0; opcode < 256; opcode += 16) this.node(map, opcode);
    return this;
  }

  /** Parses the opcodes whose upper digit is `upper`. */
  #load(map: number, upper: number): readonly OpcodeNode[] {
    for (let lower = 0; lower < 16; lower++) this.#nodes[map * 256 + upper * 16 + lower] = new OpcodeNode();
    for (const [of, text] of TEXTS) if (of === map) this.#parse(map, text, upper.toString(16));
    return this.#nodes;
  }

  /** Rows do not go on to the next upper digit. */
  #parse(map: number, text: string, upper: string): void {
    for (const row of text.split("\n")) {
      if (!row.startsWith(upper)) continue;
      const match = /^([0-9a-f]{2})(?:\/([0-7])|:([0-9a-f]{2}))?(\+?)(\*?) +(.*)$/.exec(row);
      if (match === null) throw new SyntaxError(`opcode map: ${row}`);
      const [, opcode, digit, modrm, plus, star, entries] = match;
      for (const [column, entry] of entries.split("|").entries()) {
        const words = entry.trim().split(/\s+/);
        if (words[0] === "-") continue;
        const step = star === "" ? column : 0;
        const moves = digit === undefined && modrm === undefined;
        const target = {
          opcode: parseInt(opcode, 16) + (moves ? step : 0),
          digit: digit === undefined ? -1 : Number(digit) + step,
          modrm: modrm === undefined ? -1 : parseInt(modrm, 16) + step,
        };
        const prefixes = star === "" ? 0b1111 : 1 << column;
        const span = plus === "" ? 1 : 8;
        if (moves) {
          for (let i = 0; i < span; i++) this.#add(map, { ...target, opcode: target.opcode + i }, prefixes, 1, words);
        } else {
          this.#add(map, target, prefixes, span, words);
        }
      }
    }
  }

  #add(
    map: number,
    target: { opcode: number; digit: number; modrm: number },
    prefixes: number,
    span: number,
    [mnemonic, ...words]: string[],
  ): void {
    let operands: OperandSpec[] = [], flags = 0, modes = 0b111;
    for (const word of words) {
      const attribute = ATTRIBUTES[word];
      if (attribute === undefined) operands = word.split(",").map(parseOperand);
      flags |= attribute?.flag ?? 0;
      modes &= attribute?.modes ?? 0b111;
    }
    const node = this.#nodes[map * 256 + target.opcode];
    const withModrm = target.digit >= 0 || target.modrm >= 0 ||
      operands.some((operand) => !WITHOUT_MODRM.includes(operand.method));
    node.modrm ||= withModrm;
    if (node.rules.length === 0) node.tail = operands.filter(({ method }) => method === I || method === UNSIGNED);
    const form = this.forms.push({ mnemonic, operands, flags }) - 1;
    node.rules.push({ form, prefixes, modes, slots: withModrm ? slotsOf(target, span, operands, flags) : null });
  }
}

function slotsOf(
  target: { digit: number; modrm: number },
  span: number,
  operands: readonly OperandSpec[],
  flags: number,
): number[] {
  if (target.modrm >= 0) return Array.from({ length: span }, (_, i) => 8 + (target.modrm & 0x3f) + i);
  const registerOnly = operands.some((operand) => REGISTER_ONLY.includes(operand.method));
  const memoryOnly = operands.some((operand) => operand.method === M);
  const slots: number[] = [];
  for (let slot = 0; slot < SLOTS; slot++) {
    const memory = slot < 8;
    const reg = memory ? slot : (slot - 8) >> 3;
    if (target.digit >= 0 && reg !== target.digit) continue;
    if ((flags & FormFlag.ANY_MOD) === 0 && (memory ? registerOnly : memoryOnly)) continue;
    slots.push(slot);
  }
  return slots;
}

let table: OpcodeTable | null = null;

/** The opcode map, parsed on first use. */
export function opcodeTable(): OpcodeTable {
  return table ??= new OpcodeTable();
}

/** Every mnemonic that the decoder can report, sorted. */
export function listMnemonics(): string[] {
  return [...new Set(opcodeTable().complete().forms.map((form) => form.mnemonic)), "toolong"].sort();
}
