/**
 * The x87 unit in a region: registers, TOP, tags, status and pointers are in locals.
 *
 * A register's local is its distance from where TOP was when the locals were loaded: which one ST(i) is follows from the pushes
 * and pops since then, and those are known for every instruction. Where ways with different numbers of them meet, or MMX
 * instructions use the registers, the region does without.
 */
import { type Code, Op } from "../../wasm/mod.ts";
import type { Instruction } from "../decode/instruction.ts";
import { CPU_BASE } from "../interpreter/layout.ts";
import { stateField } from "../emit/state_field.ts";
import { Value } from "../emit/value.ts";
import { Fsw, S, SEG, Seg } from "../state.ts";
import type { RegionBlock } from "./discovery.ts";
import type { FlowGraph } from "./flow_graph.ts";

/** Instructions whose definitions need nothing of the x87 unit in the state block, by how they move TOP. */
const IN_LOCALS: Readonly<Record<string, readonly string[]>> = {
  [-1]: ["fld", "fild", "fld1", "fldz"],
  0: (
    "fadd fmul fsub fsubr fdiv fdivr fiadd fimul fisub fisubr fidiv fidivr fst fist fcom fucom ficom fcomi fucomi fxch fchs " +
    "fabs fnop fnstsw fnstcw fldcw"
  ).split(" "),
  1: (
    "faddp fmulp fsubp fsubrp fdivp fdivrp fstp fistp fisttp fcomp fucomp ficomp fcomip fucomip"
  ).split(" "),
  2: ["fcompp", "fucompp"],
};
/** How others usually move it. */
const IN_MEMORY: Readonly<Record<string, readonly string[]>> = {
  [-1]: "fldl2t fldl2e fldpi fldlg2 fldln2 fbld fptan fsincos fxtract fdecstp".split(" "),
  1: "fbstp fstpnce fyl2x fyl2xp1 fpatan fincstp ffreep".split(" "),
};

function byMnemonic(table: Readonly<Record<string, readonly string[]>>): ReadonlyMap<string, number> {
  return new Map(
    Object.entries(table).flatMap(([by, names]) => names.map((name): [string, number] => [name, Number(by)])),
  );
}
const MOVES = byMnemonic(IN_LOCALS), USUAL_MOVES = byMnemonic(IN_MEMORY);

/** Instructions without an escape opcode that have to do with the x87 unit. */
const OTHERS = new Set(["emms", "fxsave", "fxrstor", "xsave", "xsaveopt", "xsavec", "xsaves", "xrstor", "xrstors"]);

/** Pops less pushes of an instruction, as a rule if it works in memory. */
function moveOf({ mnemonic }: Instruction): number {
  return MOVES.get(mnemonic) ?? USUAL_MOVES.get(mnemonic) ?? 0;
}

/** True if an instruction finds the x87 unit in the state block. */
export function isInMemory({ mnemonic, escape, operands }: Instruction): boolean {
  if (MOVES.has(mnemonic)) return false;
  return escape !== undefined || OTHERS.has(mnemonic) || operands.some((operand) => isMmx(operand));
}

function isMmx(operand: Instruction["operands"][number]): boolean {
  return operand.kind === "reg" && operand.file === "mm";
}

/** The stack's registers that an instruction touches in locals, by distance from TOP. */
function reachOf({ mnemonic, operands }: Instruction): number[] {
  const move = MOVES.get(mnemonic);
  if (move === undefined || /^fn|^fldcw/.test(mnemonic)) return [];
  const reach = [move < 0 ? -1 : 0];
  if (move === 2) reach.push(1);
  for (const operand of operands) if (operand.kind === "reg" && operand.file === "st") reach.push(operand.reg);
  return reach;
}

/** Beside an opcode of 11 bits, so that what is noted is never 0. */
const NOTED = 0x8000;

/** Pops less pushes, modulo 8, since the locals were loaded. */
interface Depths {
  /** Where a node begins. */
  readonly before: readonly number[];
  /** Behind its last instruction. */
  readonly behind: readonly number[];
}

/**
 * How deep the stack is at each node; null if ways meet with different numbers. Where locals are loaded anew (after calls, and
 * after instructions that work in memory) any number will do.
 */
function findDepths(blocks: readonly RegionBlock[], graph: FlowGraph): Depths | null {
  // Place 2n is where node n begins, 2n + 1 where it ends.
  const links: [to: number, move: number][][] = Array.from({ length: 2 * graph.successors.length }, () => []);
  const link = (from: number, to: number, move: number) => {
    links[from].push([to, move]);
    links[to].push([from, -move]);
  };
  graph.successors.forEach((successors, node) => {
    const instructions = blocks[node - 1]?.instructions ?? [], flow = instructions.at(-1)?.flow;
    const loadsAnew = instructions.some(({ instruction }) => isInMemory(instruction));
    const move = instructions.reduce((sum, { instruction }) => sum + moveOf(instruction), 0);
    if (!loadsAnew && flow !== "call" && flow !== "callIndirect") link(2 * node, 2 * node + 1, move);
    for (const { target } of successors) link(2 * node + 1, 2 * target, 0);
  });
  const depths: number[] = new Array(links.length).fill(-1);
  for (let start = 0; start < links.length; start++) {
    if (depths[start] >= 0) continue;
    depths[start] = 0;
    const found = [start];
    for (let place = found.pop(); place !== undefined; place = found.pop()) {
      for (const [to, move] of links[place]) {
        const depth = (depths[place] + move) & 7;
        if (depths[to] >= 0 && depths[to] !== depth) return null;
        if (depths[to] < 0) {
          depths[to] = depth;
          found.push(to);
        }
      }
    }
  }
  return { before: depths.filter((_, i) => i % 2 === 0), behind: depths.filter((_, i) => i % 2 === 1) };
}

/** The locals of one region. */
export class X87Locals {
  readonly #code: Code;
  /** TOP where the pops outnumber the pushes by none. */
  readonly #origin: number;
  /** {@link depth} at any point, for code that several ways lead to. */
  readonly #depth: number;
  /** Which registers are in use, as a mask by their distance from {@link #origin}. */
  readonly #tags: number;
  /** The status word but for C1, and for PE if {@link #lost} is not 0. */
  readonly #status: number;
  /** C1, 0 or 1. */
  readonly #up: number;
  readonly #lost: number;
  /** FIP, and in the low 16 bits FOP and {@link NOTED}; 0 if they and FCS are in the state block. */
  readonly #instruction: number;
  /** FDP, and 1 more than the number of its segment; 0 if FDP and FDS are in the state block. */
  readonly #operand: number;
  readonly #segment: number;
  readonly #address: number;
  /** Locals of significands, and of signs and exponents; undefined for registers that the region does not touch. */
  readonly #significands: (number | undefined)[] = new Array(8).fill(undefined);
  readonly #exponents: (number | undefined)[] = new Array(8).fill(undefined);
  readonly #depths: Depths;
  /** {@link depth} behind instructions that work in memory. */
  readonly #behind = new Map<Instruction, number>();
  /** Pops less pushes up to the instruction that is being written, modulo 8. */
  depth = 0;
  /** It is known at this point that x87 instructions may run. */
  mayRun = false;
  /** Registers that are known to be in use at this point, as a mask. */
  #used = 0;

  /** Null if the region gains nothing by it. Node i + 1 of the graph is block i. */
  static plan(code: Code, blocks: readonly RegionBlock[], graph: FlowGraph): X87Locals | null {
    const all = blocks.flatMap(({ instructions }) => instructions);
    if (!all.some(({ instruction }) => reachOf(instruction).length > 0)) return null;
    if (all.some(({ instruction }) => instruction.operands.some(isMmx))) return null;
    const depths = findDepths(blocks, graph);
    return depths && new X87Locals(code, blocks, depths);
  }

  private constructor(code: Code, blocks: readonly RegionBlock[], depths: Depths) {
    this.#code = code;
    this.#depths = depths;
    this.#origin = code.local("i32");
    this.#depth = code.local("i32");
    this.#tags = code.local("i32");
    this.#status = code.local("i32");
    this.#up = code.local("i32");
    this.#lost = code.local("i64");
    this.#instruction = code.local("i64");
    this.#operand = code.local("i64");
    this.#segment = code.local("i32");
    this.#address = code.local("i32");
    blocks.forEach(({ instructions }, i) => {
      let depth = depths.before[i + 1], rest = depths.behind[i + 1];
      for (const { instruction } of instructions) rest -= moveOf(instruction);
      for (const { instruction } of instructions) {
        for (const distance of reachOf(instruction)) this.#allocate((depth + distance) & 7);
        depth += moveOf(instruction);
        rest += moveOf(instruction);
        if (isInMemory(instruction)) this.#behind.set(instruction, depth = rest & 7);
      }
    });
  }

  #allocate(register: number): void {
    this.#significands[register] ??= this.#code.local("i64");
    this.#exponents[register] ??= this.#code.local("i32");
  }

  /** To be called where a node begins, or where what leads there is loaded. */
  enter(node: number): void {
    this.moveTo(this.#depths.before[node]);
    this.#forget();
  }

  /** Sets {@link depth}. */
  moveTo(depth: number): void {
    this.depth = depth & 7;
    this.#code.i32(this.depth);
    this.#code.set(this.#depth);
  }

  /** What {@link depth} is behind an instruction. */
  depthAfter(instruction: Instruction): number {
    return this.#behind.get(instruction) ?? (this.depth + moveOf(instruction)) & 7;
  }

  /** A field of the state block as it is now; null if it is not here. */
  field(offset: number): Value | null {
    switch (offset) {
      case S.FSW:
        return this.#wholeStatus();
      case S.FTOP:
        return this.#top();
      default:
        return null;
    }
  }

  #top(): Value {
    return Value.local("i32", this.#origin).add(Value.local("i32", this.#depth)).and(7);
  }

  // ---- status

  /** The status word, of which C1 and PE do not count. */
  get status(): Value {
    return Value.local("i32", this.#status);
  }

  #wholeStatus(): Value {
    const lost = Value.local("i64", this.#lost).isTrue().shl(Fsw.PE_SHIFT);
    return this.status.or(Value.local("i32", this.#up).shl(Fsw.C1_SHIFT)).or(lost);
  }

  #set(local: number, value: Value): void {
    value.emit(this.#code);
    this.#code.set(local);
  }

  /** Sets the status word. */
  setStatus(value: Value): void {
    this.#set(this.#up, value.shrU(Fsw.C1_SHIFT).and(1));
    this.#set(this.#status, value.and(~Fsw.C1));
    this.#set(this.#lost, Value.i64(0));
  }

  /** See {@link Emitter.noteRounding}. */
  noteRounding(up: Value, lost: Value): void {
    this.#set(this.#up, up);
    if (lost.constant !== 0n) this.#set(this.#lost, Value.local("i64", this.#lost).or(lost));
  }

  /** Sets flags in the status word. */
  addFlags(flags: Value): void {
    this.#set(this.#status, this.status.or(flags));
  }

  /** Sets the condition codes. */
  setCodes(codes: Value): void {
    this.#set(this.#status, this.status.and(~Fsw.CODES).or(codes));
    this.#set(this.#up, Value.i32(0));
  }

  // ---- pointers

  /** Notes the current instruction, for handlers. */
  noteInstruction(ip: bigint, opcode: number): void {
    this.#set(this.#instruction, Value.i64(ip << 16n | BigInt(NOTED | opcode)));
  }

  /** Notes its operand in memory, and the number of its segment. */
  noteOperand(offset: Value, segment: number): void {
    this.#set(this.#operand, offset);
    this.#set(this.#segment, Value.i32(segment + 1));
  }

  /** Stores what was noted to the state block. To be called before segment registers may change. */
  storePointers(): void {
    const code = this.#code, selectors = S.SEG + SEG.SELECTOR;
    const instruction = Value.local("i64", this.#instruction), segment = Value.local("i32", this.#segment);
    instruction.isTrue().emit(code);
    code.if(() => {
      this.#store(S.FIP, instruction.shrS(16));
      this.#store(S.FOP, instruction.wrap().and(0x7ff));
      this.#store(S.FCS, stateField("i32", selectors + Seg.CS * SEG.SIZE));
      this.#set(this.#instruction, Value.i64(0));
    });
    segment.emit(code);
    code.if(() => {
      this.#store(S.FDP, Value.local("i64", this.#operand));
      const selector = new Value("i32", () => {
        segment.sub(1).shl(SEG.SHIFT).emit(code);
        code.memory(Op.I32_LOAD, CPU_BASE + selectors);
      });
      this.#store(S.FDS, selector);
      this.#set(this.#segment, Value.i32(0));
    });
  }

  #store(offset: number, value: Value): void {
    const code = this.#code;
    code.i32(0);
    value.emit(code);
    code.memory(value.type === "i64" ? Op.I64_STORE : Op.I32_STORE, CPU_BASE + offset);
  }

  // ---- tags

  /** Not 0 if ST(i) is in use. */
  inUse(i: number): Value {
    return Value.local("i32", this.#tags).and(this.#bit(i));
  }

  /** 1 if one of some registers is empty, else 0. */
  someEmpty(registers: readonly number[]): Value {
    const mask = registers.reduce((bits, i) => bits | this.#bit(i), 0);
    return Value.local("i32", this.#tags).and(mask).ne(mask);
  }

  /** Marks ST(i) as in use, or as empty. */
  mark(i: number, used: boolean): void {
    const tags = Value.local("i32", this.#tags);
    this.#set(this.#tags, used ? tags.or(this.#bit(i)) : tags.and(~this.#bit(i)));
  }

  // ---- registers

  /** The locals of ST(i); null if the region was not known to touch it. */
  register(i: number): { significand: number; signExponent: number } | null {
    const register = (this.depth + i) & 7,
      significand = this.#significands[register],
      exponent = this.#exponents[register];
    return significand === undefined || exponent === undefined ? null : { significand, signExponent: exponent };
  }

  #forget(): void {
    this.mayRun = false;
    this.#used = 0;
  }

  /** True if ST(i) is known to be in use. */
  isUsed(i: number): boolean {
    return (this.#used & this.#bit(i)) !== 0;
  }

  /** Notes whether ST(i) is known to be in use from here on. */
  setUsed(i: number, used: boolean): void {
    this.#used = used ? this.#used | this.#bit(i) : this.#used & ~this.#bit(i);
  }

  #bit(i: number): number {
    return 1 << ((this.depth + i) & 7);
  }

  /** Runs `access` for each register, with its address less S.X87 in a local. */
  #eachRegister(access: (significand: number, exponent: number) => void): void {
    const code = this.#code;
    for (let register = 0; register < 8; register++) {
      const significand = this.#significands[register], exponent = this.#exponents[register];
      if (significand === undefined || exponent === undefined) continue;
      code.get(this.#origin);
      code.i32(register);
      code.op(Op.I32_ADD);
      code.i32(7);
      code.op(Op.I32_AND);
      code.i32(4);
      code.op(Op.I32_SHL);
      code.set(this.#address);
      access(significand, exponent);
    }
  }

  /** Loads everything from the state block, for {@link depth}. */
  load(): void {
    const code = this.#code, { depth } = this, tags = Value.local("i32", this.#tags);
    this.#forget();
    this.moveTo(depth);
    this.#set(this.#origin, stateField("i32", S.FTOP).sub(depth));
    // A tag's distance from the origin is that from TOP plus the depth, modulo 8.
    this.#set(this.#tags, stateField("i32", S.FTW));
    this.#set(this.#tags, tags.or(tags.shl(8)).shrU(8 - depth).and(0xff));
    this.#set(this.#status, stateField("i32", S.FSW));
    this.setStatus(this.status);
    this.#set(this.#instruction, Value.i64(0));
    this.#set(this.#segment, Value.i32(0));
    this.#eachRegister((significand, exponent) => {
      code.get(this.#address);
      code.memory(Op.I64_LOAD, CPU_BASE + S.X87);
      code.set(significand);
      code.get(this.#address);
      code.memory(Op.I32_LOAD16_U, CPU_BASE + S.X87 + 8);
      code.set(exponent);
    });
  }

  /** Stores everything to the state block. */
  store(): void {
    const code = this.#code, tags = Value.local("i32", this.#tags), depth = Value.local("i32", this.#depth);
    this.storePointers();
    this.#store(S.FTOP, this.#top());
    this.#store(S.FTW, tags.or(tags.shl(8)).shrU(depth).and(0xff));
    this.#store(S.FSW, this.#wholeStatus());
    this.#eachRegister((significand, exponent) => {
      code.get(this.#address);
      code.get(significand);
      code.memory(Op.I64_STORE, CPU_BASE + S.X87);
      code.get(this.#address);
      code.get(exponent);
      code.memory(Op.I32_STORE16, CPU_BASE + S.X87 + 8);
    });
  }
}
