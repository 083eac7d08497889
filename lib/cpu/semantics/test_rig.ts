/** Runs single definitions on a bare state block, without a processor around them: for unit tests of vector instructions. */
import { Code, ModuleBuilder } from "../../wasm/mod.ts";
import { decode, newInstruction } from "../decode/mod.ts";
import { Value } from "../emit/value.ts";
import { fpuHelpers, kernelModule, kernelTable } from "../fpu/mod.ts";
import { InterpreterEmitter } from "../interpreter/emitter.ts";
import { CPU_BASE, MEMORY_PAGES } from "../interpreter/layout.ts";
import { HANDLER_SIGNATURE, type ImportTable, linkModule } from "../interpreter/linkage.ts";
import { writeRecord } from "../interpreter/records.ts";
import { slowPaths } from "../slow_paths.ts";
import { CR4, S } from "../state.ts";
import { systemHelpers } from "../system/mod.ts";
import { definitionFor } from "./mod.ts";

/** Where the record of the instruction lies. */
const RECORD = CPU_BASE + S.SIZE;

/** Like a translator, knows an instruction's immediate when it writes the code. */
class KnownImmediates extends InterpreterEmitter {
  override read(index: number): Value {
    const operand = this.instruction.operands[index];
    return operand.kind === "imm" ? Value.i32(operand.value & 0xff) : super.read(index);
  }
}

/** Runs one instruction with register operands on the rig's state; returns the vector that it raised, or −1. */
export type Run = () => number;

/** A state block in memory. */
export class DefinitionRig {
  readonly memory = new WebAssembly.Memory({ initial: MEMORY_PAGES });
  /** The state block, by the offsets of {@link S}. */
  readonly state = new DataView(this.memory.buffer, CPU_BASE, S.SIZE);
  readonly #records = new DataView(this.memory.buffer);

  constructor() {
    this.state.setInt32(S.CR4, CR4.OSFXSR | CR4.OSXMMEXCPT, true);
  }

  /** Compiles instructions of 64-bit code; `known` tells whether immediates are known then, or found in the record. */
  compile(codes: readonly Uint8Array[], known: boolean): Run[] {
    const module = new ModuleBuilder(), helpers = { ...slowPaths, ...systemHelpers, ...fpuHelpers };
    const imports: ImportTable = {
      helpers: new Map(Object.entries(helpers)),
      kernels: new Map(Object.entries(kernelTable)),
      strings: new Map(),
      system: new Map(),
    };
    const linkage = linkModule(module, imports);
    const instructions = codes.map((bytes) => {
      const instruction = newInstruction(), code = new Code(1);
      decode(bytes, 0, bytes.length, 64, instruction);
      const Kind = known ? KnownImmediates : InterpreterEmitter;
      definitionFor(instruction).emit(new Kind(code, instruction, { code: 64, stack: 64, flat: true }, linkage));
      return { instruction, code };
    });
    instructions.forEach(({ code }, i) => module.export(`run${i}`, module.function(HANDLER_SIGNATURE, code)));
    const kernel = new WebAssembly.Instance(kernelModule(), { env: { memory: this.memory } }).exports;
    const stubs = Object.fromEntries(
      Object.keys(helpers).map((name) => [name, () => {
        throw new Error(`${name} was called`);
      }]),
    );
    const env = {
      memory: this.memory,
      handlers: new WebAssembly.Table({ element: "anyfunc", initial: 1 }),
    };
    const compiled = new WebAssembly.Module(module.toBytes());
    const { exports } = new WebAssembly.Instance(compiled, { env, helper: stubs, kernel });
    return instructions.map(({ instruction }, i) => {
      const run = exports[`run${i}`] as (record: number) => void;
      return () => {
        writeRecord(this.#records, RECORD, 0, instruction, instruction.length, 0);
        this.state.setInt32(S.FAULT, 0, true);
        run(RECORD);
        return this.state.getInt32(S.FAULT, true) - 1;
      };
    });
  }
}
