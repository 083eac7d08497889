/** Assembles a WebAssembly module: types, imports, functions, table elements, exports. Knows nothing of x86. */
import { ByteWriter } from "./bytes.ts";
import type { Code, FunctionBody } from "./code.ts";
import { Type, TYPE_CODE, type ValueType } from "./opcodes.ts";

/** A function type. */
export interface Signature {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
}

const SECTION = {
  CUSTOM: 0,
  TYPE: 1,
  IMPORT: 2,
  FUNCTION: 3,
  TABLE: 4,
  MEMORY: 5,
  GLOBAL: 6,
  EXPORT: 7,
  ELEMENT: 9,
  CODE: 10,
} as const;

/** Builds one module. Imports come before functions of its own, because they share one index space. */
export class ModuleBuilder {
  readonly #types: string[] = [];
  readonly #typeBytes = new ByteWriter();
  readonly #imports = new ByteWriter();
  #importCount = 0;
  #importedFunctions = 0;
  readonly #functions: { type: number; body: FunctionBody | null }[] = [];
  readonly #exports: { name: string; index: number }[] = [];
  readonly #elements: { slot: number; index: number }[] = [];

  /** The index of a function type; equal types share one. */
  type(signature: Signature): number {
    const key = `${signature.parameters.join()}:${signature.results.join()}`;
    const known = this.#types.indexOf(key);
    if (known >= 0) return known;
    this.#typeBytes.u8(0x60);
    this.#typeBytes.u32(signature.parameters.length);
    for (const type of signature.parameters) this.#typeBytes.u8(TYPE_CODE[type]);
    this.#typeBytes.u32(signature.results.length);
    for (const type of signature.results) this.#typeBytes.u8(TYPE_CODE[type]);
    return this.#types.push(key) - 1;
  }

  #import(module: string, name: string, kind: number): ByteWriter {
    this.#importCount++;
    this.#imports.name(module);
    this.#imports.name(name);
    this.#imports.u8(kind);
    return this.#imports;
  }

  /** Imports a function; returns its index. */
  importFunction(module: string, name: string, signature: Signature): number {
    if (this.#functions.length > 0) throw new Error("import functions before defining any");
    this.#import(module, name, 0).u32(this.type(signature));
    return this.#importedFunctions++;
  }

  /** Imports a table of functions with at least `minimum` elements, that can grow to at most `maximum` if that is given. */
  importTable(module: string, name: string, minimum: number, maximum?: number): void {
    const out = this.#import(module, name, 1);
    out.u8(Type.FUNCREF);
    out.u8(maximum === undefined ? 0 : 1);
    out.u32(minimum);
    if (maximum !== undefined) out.u32(maximum);
  }

  /** Imports a memory with at least `minimum` pages of 64 KiB, that can grow to at most `maximum` pages if that is given. */
  importMemory(module: string, name: string, minimum: number, maximum?: number): void {
    const out = this.#import(module, name, 2);
    out.u8(maximum === undefined ? 0 : 1);
    out.u32(minimum);
    if (maximum !== undefined) out.u32(maximum);
  }

  /** Declares a function and returns its index, so that others can call it before it has a body. */
  declare(signature: Signature): number {
    this.#functions.push({ type: this.type(signature), body: null });
    return this.#importedFunctions + this.#functions.length - 1;
  }

  /** Gives a declared function its body. */
  define(index: number, code: Code): void {
    this.#functions[index - this.#importedFunctions].body = code.finish();
  }

  /** Declares and defines a function. */
  function(signature: Signature, code: Code): number {
    const index = this.declare(signature);
    this.define(index, code);
    return index;
  }

  export(name: string, index: number): void {
    this.#exports.push({ name, index });
  }

  /** Puts a function into the imported table at `slot` when the module is instantiated. */
  element(slot: number, index: number): void {
    this.#elements.push({ slot, index });
  }

  /** The module in binary form. */
  toBytes(): Uint8Array<ArrayBuffer> {
    const out = new ByteWriter(4096);
    out.raw([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);
    const section = (id: number, fill: (body: ByteWriter) => void) => {
      const body = new ByteWriter(1024);
      fill(body);
      out.u8(id);
      out.u32(body.length);
      out.append(body);
    };
    section(SECTION.TYPE, (body) => {
      body.u32(this.#types.length);
      body.append(this.#typeBytes);
    });
    section(SECTION.IMPORT, (body) => {
      body.u32(this.#importCount);
      body.append(this.#imports);
    });
    section(SECTION.FUNCTION, (body) => {
      body.u32(this.#functions.length);
      for (const { type } of this.#functions) body.u32(type);
    });
    section(SECTION.EXPORT, (body) => {
      body.u32(this.#exports.length);
      for (const { name, index } of this.#exports) {
        body.name(name);
        body.u8(0);
        body.u32(index);
      }
    });
    if (this.#elements.length > 0) section(SECTION.ELEMENT, (body) => this.#writeElements(body));
    if (this.#functions.some(({ body }) => body !== null && body.unlikely.length > 0)) {
      section(SECTION.CUSTOM, (body) => this.#writeHints(body));
    }
    section(SECTION.CODE, (body) => {
      body.u32(this.#functions.length);
      for (const { body: code } of this.#functions) {
        if (!code) throw new Error("a declared function has no body");
        body.u32(code.bytes.length);
        body.append(code.bytes);
      }
    });
    return out.toBytes();
  }

  /** The custom section of the branch hinting proposal: which branches are unlikely (0), each with the length of that (1). */
  #writeHints(out: ByteWriter): void {
    out.name("metadata.code.branch_hint");
    const hinted = this.#functions.flatMap(({ body }, i) =>
      body !== null && body.unlikely.length > 0 ? [{ index: this.#importedFunctions + i, offsets: body.unlikely }] : []
    );
    out.u32(hinted.length);
    for (const { index, offsets } of hinted) {
      out.u32(index);
      out.u32(offsets.length);
      for (const offset of offsets) {
        out.u32(offset);
        out.u8(1);
        out.u8(0);
      }
    }
  }

  #writeElements(body: ByteWriter): void {
    const sorted = [...this.#elements].sort((a, b) => a.slot - b.slot);
    const runs: { slot: number; indices: number[] }[] = [];
    for (const { slot, index } of sorted) {
      const last = runs.at(-1);
      if (last && last.slot + last.indices.length === slot) last.indices.push(index);
      else runs.push({ slot, indices: [index] });
    }
    body.u32(runs.length);
    for (const run of runs) {
      body.u8(0);
      body.u8(0x41);
      body.s32(run.slot);
      body.u8(0x0b);
      body.u32(run.indices.length);
      for (const index of run.indices) body.u32(index);
    }
  }
}
