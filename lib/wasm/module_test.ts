import { assertEquals, assertThrows } from "@std/assert";
import { ByteWriter, Code, ModuleBuilder, Op } from "./mod.ts";

const UNARY = { parameters: ["i32"], results: ["i32"] } as const;

/** Instantiates what a builder holds. */
function instantiate(module: ModuleBuilder, imports: WebAssembly.Imports = {}): WebAssembly.Exports {
  return new WebAssembly.Instance(new WebAssembly.Module(module.toBytes()), imports).exports;
}

function call(exports: WebAssembly.Exports, name: string, ...args: (number | bigint)[]): unknown {
  return (exports[name] as (...args: (number | bigint)[]) => unknown)(...args);
}

Deno.test("ByteWriter: LEB128 numbers of all lengths read back as what they were", () => {
  const module = new ModuleBuilder();
  const numbers = [0, 1, -1, 63, 64, -64, -65, 8191, 0x7fffffff, -0x80000000];
  const wide = [0n, -1n, 1n << 31n, -(1n << 31n) - 1n, (1n << 63n) - 1n, -(1n << 63n), 0x123456789abcdef0n];
  numbers.forEach((value, i) => {
    const code = new Code(0);
    code.i32(value);
    module.export(`n${i}`, module.function({ parameters: [], results: ["i32"] }, code));
  });
  wide.forEach((value, i) => {
    const code = new Code(0);
    code.i64(value);
    module.export(`w${i}`, module.function({ parameters: [], results: ["i64"] }, code));
  });
  const exports = instantiate(module);
  assertEquals(numbers.map((_, i) => call(exports, `n${i}`)), numbers);
  assertEquals(wide.map((_, i) => call(exports, `w${i}`)), wide);
});

Deno.test("ByteWriter: unsigned LEB128 takes seven bits to a byte", () => {
  const out = new ByteWriter(1);
  for (const value of [0, 127, 128, 624485, 0xffffffff]) out.u32(value);
  assertEquals([...out.toBytes()], [0, 0x7f, 0x80, 1, 0xe5, 0x8e, 0x26, 0xff, 0xff, 0xff, 0xff, 0x0f]);
});

Deno.test("Code: blocks, loops and branches find their labels; released locals are used again", () => {
  const module = new ModuleBuilder(), code = new Code(1);
  let first = -1, second = -2;
  code.scope(() => first = code.local("i32"));
  code.scope(() => second = code.local("i32"));
  assertEquals(first, second);
  // The sum of 1 … n.
  const sum = code.local("i32");
  code.block((out) =>
    code.loop((again) => {
      code.get(0);
      code.op(Op.I32_EQZ);
      code.brIf(out);
      code.get(sum);
      code.get(0);
      code.op(Op.I32_ADD);
      code.set(sum);
      code.get(0);
      code.i32(-1);
      code.op(Op.I32_ADD);
      code.set(0);
      code.br(again);
    })
  );
  code.get(sum);
  module.export("sum", module.function(UNARY, code));
  assertEquals(call(instantiate(module), "sum", 100), 5050);
});

Deno.test("ModuleBuilder: imports, tables and two memories", () => {
  const module = new ModuleBuilder();
  module.importMemory("env", "a", 1);
  module.importMemory("env", "b", 1);
  module.importTable("env", "table", 8, 8);
  const double = module.importFunction("env", "double", UNARY);
  const type = module.type(UNARY);
  const code = new Code(1);
  // memory b [x] = double(x); then the function in table slot 5 tail-calls itself away.
  code.get(0);
  code.get(0);
  code.call(double);
  code.memory(Op.I32_STORE, 0, 1);
  code.get(0);
  code.i32(5);
  code.returnCallIndirect(type);
  const store = module.function(UNARY, code), load = new Code(1);
  load.get(0);
  load.memory(Op.I32_LOAD, 0, 1);
  module.element(5, module.function(UNARY, load));
  module.export("store", store);
  const a = new WebAssembly.Memory({ initial: 1 }), b = new WebAssembly.Memory({ initial: 1 });
  const imports = (maximum?: number) => ({
    env: {
      a,
      b,
      table: new WebAssembly.Table({ element: "anyfunc", initial: 8, maximum }),
      double: (x: number) => 2 * x,
    },
  });
  assertThrows(() => instantiate(module, imports()), WebAssembly.LinkError);
  const exports = instantiate(module, imports(8));
  assertEquals(call(exports, "store", 64), 128);
  assertEquals(new DataView(b.buffer).getInt32(64, true), 128);
  assertEquals(new DataView(a.buffer).getInt32(64, true), 0);
});

Deno.test("ModuleBuilder: a declared function needs a body, imports come first", () => {
  const module = new ModuleBuilder();
  module.declare(UNARY);
  assertThrows(() => module.toBytes(), Error, "no body");
  assertThrows(() => module.importFunction("env", "late", UNARY), Error, "before defining");
});

Deno.test("Code.unlikely: hints for branches, those that were taken back left out", () => {
  const module = new ModuleBuilder(), code = new Code(1), local = code.local("i32"), mark = code.mark();
  code.get(0);
  code.unlikely();
  code.if(() => code.op(Op.UNREACHABLE));
  code.rewind(mark);
  code.get(0);
  code.unlikely();
  code.if(() => {
    code.i32(7);
    code.set(local);
  });
  code.get(local);
  module.export("f", module.function(UNARY, code));
  const bytes = module.toBytes(), name = "metadata.code.branch_hint";
  const at = new TextDecoder("latin1").decode(bytes).indexOf(name) + name.length;
  // One function, number 0, one hint: behind the declaration of the locals (3 bytes) and local.get (2 bytes).
  assertEquals([...bytes.subarray(at, at + 6)], [1, 0, 1, 5, 1, 0]);
  const exports = instantiate(module);
  assertEquals([call(exports, "f", 0), call(exports, "f", 1)], [0, 7]);
});
