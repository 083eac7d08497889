/**
 * The library of handlers: one compiled function per instruction form, made when the form is first met.
 *
 * It belongs to the process, not to a machine: every machine has a table of its own into which it instantiates the same
 * compiled modules. New forms come in small modules; now and then everything is packed into one, because calls inside a
 * module are several times cheaper than calls across.
 */
import { Code, ModuleBuilder, Op } from "../../wasm/mod.ts";
import type { Instruction, Operand } from "../decode/instruction.ts";
import type { CodeMode } from "../emit/emitter.ts";
import { definitionFor } from "../semantics/mod.ts";
import { endingOf } from "../semantics/registry.ts";
import { S } from "../state.ts";
import { InterpreterEmitter, isFlatAccess } from "./emitter.ts";
import { Exit, REC } from "./layout.ts";
import { HANDLER_SIGNATURE, type ImportTable, type Linkage, linkModule } from "./linkage.ts";

/** Pseudo-instructions that the block cache puts into records. */
export const Pseudo = {
  /** The block goes on in the next one. */
  FALL_THROUGH: "$fall",
  /** The budget ends here. */
  STOP: "$stop",
  /** The record is void, or the run must be left before it. */
  LEAVE: "$leave",
} as const;

interface Handler {
  readonly slot: number;
  readonly code: Code;
}

/** Modules that a machine instantiates, in order. */
export interface HandlerModules {
  /** Raised by packing: a machine that is behind starts over. */
  readonly generation: number;
  readonly modules: readonly WebAssembly.Module[];
}

/** Number of new forms after which everything is packed for the first time; it doubles. */
const FIRST_PACK = 48;

/** Makes and keeps handlers. */
export class HandlerLibrary {
  readonly #imports: ImportTable;
  readonly #linkage: Linkage;
  readonly #slots = new Map<string, number>();
  readonly #all: Handler[] = [];
  #pending: Handler[] = [];
  #modules: WebAssembly.Module[] = [];
  #generation = 0;
  #sincePack = 0;
  #packAt = FIRST_PACK;
  #nextSlot = 1;

  constructor(imports: ImportTable) {
    this.#imports = imports;
    this.#linkage = linkModule(new ModuleBuilder(), imports);
  }

  /** Table slots in use. */
  get slots(): number {
    return this.#nextSlot;
  }

  /** The slot of the handler for an instruction's form; it may have to be compiled by {@link modules} first. */
  slotFor(instruction: Instruction, mode: CodeMode): number {
    const key = formKey(instruction, mode);
    return this.#slots.get(key) ?? this.#make(key, (code) => this.#emit(code, instruction, mode));
  }

  /** The slot of a pseudo-instruction. */
  pseudoSlot(name: string, mode: CodeMode): number {
    const key = `${name}|${mode.code}|${mode.flat}`;
    return this.#slots.get(key) ?? this.#make(key, (code) => this.#emitPseudo(code, name, mode));
  }

  #make(key: string, emit: (code: Code) => void): number {
    const code = new Code(2), slot = this.#nextSlot++;
    emit(code);
    const handler = { slot, code };
    this.#slots.set(key, slot);
    this.#all.push(handler);
    this.#pending.push(handler);
    return slot;
  }

  #emit(code: Code, instruction: Instruction, mode: CodeMode): void {
    const definition = definitionFor(instruction);
    const e = new InterpreterEmitter(code, instruction, mode, this.#linkage);
    definition.emit(e);
    const ending = endingOf(definition, instruction);
    if (ending === "none") e.dispatchNext();
    else if (ending === "exit") e.exit();
    else if (ending === "transfer") e.transferred();
  }

  #emitPseudo(code: Code, name: string, mode: CodeMode): void {
    const e = new InterpreterEmitter(code, PSEUDO_INSTRUCTION, mode, this.#linkage);
    if (name === Pseudo.FALL_THROUGH) return e.fallThrough();
    // The run loop finds the instruction pointer and the count from the record.
    e.setState(S.CURRENT, "i32", e.recordAddress());
    e.setState(S.EXIT, "i32", e.i32(name === Pseudo.STOP ? Exit.STOP : Exit.LEAVE));
  }

  /** Compiles what is pending and says what a machine must instantiate. */
  modules(): HandlerModules {
    if (this.#pending.length > 0) {
      this.#sincePack += this.#pending.length;
      if (this.#sincePack >= this.#packAt) {
        this.#modules = [this.#compile(this.#all)];
        this.#generation++;
        this.#sincePack = 0;
        this.#packAt = Math.max(this.#packAt, this.#all.length >> 1);
      } else this.#modules.push(this.#compile(this.#pending));
      this.#pending = [];
    }
    return { generation: this.#generation, modules: this.#modules };
  }

  #compile(handlers: readonly Handler[]): WebAssembly.Module {
    const module = new ModuleBuilder();
    linkModule(module, this.#imports);
    for (const { slot, code } of handlers) module.element(slot, module.function(HANDLER_SIGNATURE, code));
    return new WebAssembly.Module(module.toBytes());
  }
}

const PSEUDO_INSTRUCTION: Instruction = {
  mnemonic: "$",
  operands: [],
  length: 0,
  operandSize: 32,
  addressSize: 32,
  segment: 3,
  lock: false,
  repeat: "",
};

/**
 * The module through which TypeScript enters compiled code: `enter(cpu, record)` starts a record's handler, `resumeFlat(cpu)`
 * and `resumeSegmented(cpu)` go on at RIP if the jump cache knows the block there, and return with Exit.LOOKUP if not.
 */
export function entryModule(imports: ImportTable): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder(), linkage = linkModule(module, imports);
  const enter = new Code(2);
  enter.get(0);
  enter.get(1);
  enter.get(1);
  enter.memory(Op.I32_LOAD, REC.SLOT);
  enter.returnCallIndirect(linkage.handlerType);
  module.export("enter", module.function(HANDLER_SIGNATURE, enter));
  for (const [name, jump] of [["resumeFlat", linkage.jumpFlat], ["resumeSegmented", linkage.jumpSegmented]] as const) {
    const resume = new Code(1);
    resume.i32(0);
    resume.get(0);
    resume.memory(Op.I64_LOAD, S.RIP);
    resume.get(0);
    resume.returnCall(jump);
    module.export(name, module.function({ parameters: ["i32"], results: [] }, resume));
  }
  return module.toBytes();
}

function operandKey(operand: Operand, mode: CodeMode): string {
  switch (operand.kind) {
    case "reg":
      // Loading SS ends a block, loading another segment does not: each has its own handler.
      return `${operand.file}${operand.size}${operand.file === "seg" ? `#${operand.reg}` : ""}`;
    case "mem": {
      const base = operand.base === 16 ? "p" : operand.base < 0 ? "-" : "b";
      const segment = isFlatAccess(mode, operand.segment) ? "f" : "s";
      const shape = operand.disp64 !== undefined ? "w" : base + (operand.index < 0 ? "" : "x");
      return `m${operand.size}${operand.addressSize}${shape}${segment}`;
    }
    case "imm":
      return `i${operand.size}${operand.wide === undefined ? "" : "w"}`;
    default:
      return `${operand.kind}${operand.size}`;
  }
}

/** What a handler depends on. */
function formKey(i: Instruction, mode: CodeMode): string {
  let key = `${i.mnemonic}|${i.operandSize}${i.addressSize}${i.repeat}|${mode.code}${mode.stack}${
    mode.flat ? "f" : "s"
  }`;
  if (!isFlatAccess(mode, i.segment)) key += "s";
  for (const operand of i.operands) key += `,${operandKey(operand, mode)}`;
  return key;
}
