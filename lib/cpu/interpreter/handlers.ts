/**
 * The library of handlers: one compiled function per instruction form, made when the form is first met.
 *
 * It belongs to the process, not to a machine: every machine has a table of its own into which it instantiates the same
 * compiled modules. New forms come in small modules; now and then the handlers of a code mode come in one, and those that
 * decoded code uses most are packed into one function there.
 */
import { Code, ModuleBuilder } from "../../wasm/mod.ts";
import type { Instruction } from "../decode/instruction.ts";
import { isFlatCode } from "../emit/base.ts";
import type { CodeMode } from "../emit/emitter.ts";
import { definitionFor } from "../semantics/mod.ts";
import { endingOf } from "../semantics/registry.ts";
import { S } from "../state.ts";
import { InterpreterEmitter } from "./emitter.ts";
import { FormMap } from "./forms.ts";
import { Exit } from "./layout.ts";
import { ModeBit, modeKey } from "../mode.ts";
import { HANDLER_SIGNATURE, type ImportTable, type KernelModule, type Linkage, linkModule } from "./linkage.ts";
import { emitRegionEntry } from "./region_entry.ts";
import { packedCode } from "./packed.ts";

/** Pseudo-instructions that the block cache puts into records. */
export const Pseudo = {
  /** The block goes on in the next one. */
  FALL_THROUGH: "$fall",
  /** The budget ends here. */
  STOP: "$stop",
  /** The record is void, or the run must be left before it. */
  LEAVE: "$leave",
  /** The block starts a region, which runs instead of it. */
  REGION: "$region",
} as const;

/** One handler, and how to write it. */
export interface Handler {
  readonly slot: number;
  /** It stands for a pseudo-instruction. */
  readonly pseudo: boolean;
  /** In how many decoded instructions. */
  uses: number;
  readonly emit: (code: Code, linkage: Linkage) => void;
}

/** A compiled module; later ones replace table entries of earlier ones. */
export interface HandlerModule {
  readonly id: number;
  readonly module: WebAssembly.Module;
  /** The kernels that it calls. */
  readonly kernels: ReadonlySet<KernelModule>;
}

/** Handlers of one code mode: packed together, because running code rarely leaves its mode. */
class HandlerGroup {
  readonly all: Handler[] = [];
  readonly modules: HandlerModule[] = [];
  /** Handlers without a module. */
  pending: Handler[] = [];
  /** The handlers in the packed function. */
  packed: ReadonlySet<Handler> = new Set();
  /** After how many decoded instructions the handlers may be packed next. */
  packAfter = 0;
  /** Modules of handlers that came too late to be packed. */
  readonly late: HandlerModule[] = [];

  constructor(readonly firstSlot: number, readonly mode: CodeMode) {}
}

/** Table slots of a group. */
const GROUP_SLOTS = 512;
/** Table slots of all the groups that there can be, one for each code mode; forms that come later have slots behind these. */
const OVERFLOW_SLOTS = GROUP_SLOTS * (ModeBit.CODE_MODE + 1);
/**
 * Which handlers are packed, and when. Compiling a large function takes more than proportionally longer, and until V8 has optimised
 * a new one, the interpreter is slow. The 224 forms that decoded code uses most are 99 % of what a boot of Linux for i386 executes in the
 * interpreter, and 95 % for amd64; packed for the last time after 6,600 instructions of 260,000, they were 87 %.
 */
const PACK = {
  /** Fewest handlers for which a group is packed. */
  FEWEST: 40,
  MOST: 224,
  /** How many times as many instructions must have been decoded until it is packed again. */
  GROWTH: 4,
  /** Which part of the instructions decoded must be covered better by that. */
  GAIN: 0.02,
} as const;

/** Makes and keeps handlers. */
export class HandlerLibrary {
  readonly #imports: ImportTable;
  readonly #slots = new FormMap<number>();
  readonly #pseudoSlots = new Map<string, number>();
  readonly #groups = new Map<number, HandlerGroup>();
  /** By slot. */
  readonly #handlers: Handler[] = [];
  #nextId = 1;
  #count = 0;
  #nextOverflowSlot = OVERFLOW_SLOTS;
  /**
   * Slot of the handler that returns to the run loop before its instruction: one of the mode in which machines start, so that
   * it is compiled with their first handlers.
   */
  readonly leaveSlot: number;

  constructor(imports: ImportTable) {
    this.#imports = imports;
    this.leaveSlot = this.pseudoSlot(Pseudo.LEAVE, { code: 16, stack: 16, flat: false });
  }

  /** Number of handlers: a machine that has seen fewer must look at {@link modules} before it runs. */
  get count(): number {
    return this.#count;
  }

  /** Table slots that may be in use: more by a group's at a time. */
  get slots(): number {
    if (this.#nextOverflowSlot === OVERFLOW_SLOTS) return this.#groups.size * GROUP_SLOTS;
    return Math.ceil(this.#nextOverflowSlot / GROUP_SLOTS) * GROUP_SLOTS;
  }

  /** The slot of the handler for an instruction's form. */
  slotFor(instruction: Instruction, mode: CodeMode): number {
    const known = this.#slots.get(instruction, mode);
    if (known !== undefined) {
      this.#handlers[known].uses++;
      return known;
    }
    const form = { ...instruction, operands: instruction.operands.map((operand) => ({ ...operand })) };
    const slot = this.#make(mode, false, (code, linkage) => emitInstruction(code, form, mode, linkage));
    this.#slots.set(instruction, mode, slot);
    return slot;
  }

  /** One more instruction with the form of a slot has been decoded. */
  noteUse(slot: number): void {
    this.#handlers[slot].uses++;
  }

  /** The slot of a pseudo-instruction. */
  pseudoSlot(name: string, mode: CodeMode): number {
    const key = `${name}|${mode.code}${mode.stack}${mode.flat}`;
    const known = this.#pseudoSlots.get(key);
    if (known !== undefined) return known;
    const slot = this.#make(mode, true, (code, linkage) => emitPseudo(code, name, mode, linkage));
    this.#pseudoSlots.set(key, slot);
    return slot;
  }

  #make(mode: CodeMode, pseudo: boolean, emit: (code: Code, linkage: Linkage) => void): number {
    const group = this.#group(mode);
    const packable = group.all.length < GROUP_SLOTS;
    const slot = packable ? group.firstSlot + group.all.length : this.#nextOverflowSlot++;
    const handler = { slot, pseudo, uses: 1, emit };
    this.#handlers[slot] = handler;
    if (packable) group.all.push(handler);
    group.pending.push(handler);
    this.#count++;
    return handler.slot;
  }

  #group(mode: CodeMode): HandlerGroup {
    const key = modeKey(mode.code, mode.stack, mode.flat, false);
    let group = this.#groups.get(key);
    if (!group) this.#groups.set(key, group = new HandlerGroup(this.#groups.size * GROUP_SLOTS, mode));
    return group;
  }

  /** Compiles what is pending and lists the modules made after `id`, in the order in which to instantiate them. */
  modules(id: number): HandlerModule[] {
    for (const group of this.#groups.values()) if (group.pending.length > 0) this.#compile(group);
    return [...this.#groups.values()].flatMap((group) => [...group.modules, ...group.late]).filter((m) => m.id > id)
      .sort((a, b) => a.id - b.id);
  }

  #compile(group: HandlerGroup): void {
    const late = group.pending.filter(({ slot }) => slot >= OVERFLOW_SLOTS);
    const early = group.pending.filter(({ slot }) => slot < OVERFLOW_SLOTS);
    if (late.length > 0) group.late.push(this.#module((module, linkage) => defineEach(module, linkage, late)));
    if (worthPacking(group)) {
      const { mode, all, packed } = group;
      group.modules.length = 0;
      group.modules.push(this.#module((module, linkage) => {
        const code = packedCode(linkage, mode, [...packed]);
        defineEach(module, linkage, all.filter((handler) => !packed.has(handler)));
        const index = module.function(HANDLER_SIGNATURE, code);
        for (const { slot } of packed) module.element(slot, index);
      }));
    } else if (early.length > 0) {
      group.modules.push(this.#module((module, linkage) => defineEach(module, linkage, early)));
    }
    group.pending = [];
  }

  #module(define: (module: ModuleBuilder, linkage: Linkage) => void): HandlerModule {
    const module = new ModuleBuilder(), linkage = linkModule(module, this.#imports);
    define(module, linkage);
    return { id: this.#nextId++, module: new WebAssembly.Module(module.toBytes()), kernels: linkage.kernels };
  }
}

function usesOf(handlers: Iterable<Handler>): number {
  let uses = 0;
  for (const handler of handlers) uses += handler.uses;
  return uses;
}

/** True if the handlers of a group should be packed now: those in {@link HandlerGroup.packed}. */
function worthPacking(group: HandlerGroup): boolean {
  if (group.all.length < PACK.FEWEST) return false;
  const decoded = usesOf(group.all);
  if (decoded < group.packAfter) return false;
  group.packAfter = decoded * PACK.GROWTH;
  const order = (a: Handler, b: Handler) => Number(b.pseudo) - Number(a.pseudo) || b.uses - a.uses;
  const most = group.all.toSorted(order).slice(0, PACK.MOST);
  if (usesOf(most) - usesOf(group.packed) < PACK.GAIN * decoded) return false;
  group.packed = new Set(most);
  return true;
}

function defineEach(module: ModuleBuilder, linkage: Linkage, handlers: readonly Handler[]): void {
  const codes = handlers.map(({ emit }) => {
    const code = new Code(1);
    emit(code, linkage);
    return code;
  });
  codes.forEach((code, i) => module.element(handlers[i].slot, module.function(HANDLER_SIGNATURE, code)));
}

function emitInstruction(code: Code, instruction: Instruction, mode: CodeMode, linkage: Linkage): void {
  const definition = definitionFor(instruction);
  const e = new InterpreterEmitter(code, instruction, mode, linkage);
  definition.emit(e);
  const ending = endingOf(definition, instruction);
  if (ending === "none") e.dispatchNext();
  else if (ending === "exit") e.exit();
  else if (ending === "transfer" || ending === "repeat") e.transferred();
}

function emitPseudo(code: Code, name: string, mode: CodeMode, linkage: Linkage): void {
  const e = new InterpreterEmitter(code, PSEUDO_INSTRUCTION, mode, linkage);
  if (name === Pseudo.FALL_THROUGH) return e.fallThrough();
  if (name === Pseudo.REGION) return emitRegionEntry(code, linkage, isFlatCode(mode));
  // The run loop finds the instruction pointer and the count from the record.
  e.setState(S.CURRENT, "i32", e.recordAddress());
  e.setState(S.EXIT, "i32", e.i32(name === Pseudo.STOP ? Exit.STOP : Exit.LEAVE));
}

const PSEUDO_INSTRUCTION: Instruction = {
  mnemonic: "$",
  operands: [],
  length: 0,
  displacementAt: 0,
  immediateAt: 0,
  relativeAt: 0,
  operandSize: 32,
  addressSize: 32,
  segment: 3,
  lock: false,
  repeat: "",
};
