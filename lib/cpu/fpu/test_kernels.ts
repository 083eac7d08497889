/** The floating-point kernels as unit tests call them. */
import { Code, ModuleBuilder, OpSimd, type Signature, type ValueType } from "../../wasm/mod.ts";
import { kernelModule, kernelTable } from "./mod.ts";

/** A kernel with vectors as addresses of 16 bytes in the state memory; where a vector result goes is its last argument. */
export type TestKernel = (...args: (number | bigint)[]) => number;

/**
 * The kernels over a state memory. TypeScript cannot pass vectors, so each gets a function around it that loads and
 * stores them.
 */
export function testKernels(memory: WebAssembly.Memory): Record<string, TestKernel> {
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", 1);
  const imported = Object.entries(kernelTable).map(([name, { args, result }]) => {
    const signature: Signature = { parameters: args, results: result ? [result] : [] };
    return { name, args, result, index: module.importFunction("kernel", name, signature) };
  });
  for (const { name, args, result, index } of imported) {
    const toVector = result === "v128", plain = args.map((type): ValueType => type === "v128" ? "i32" : type);
    const parameters = toVector ? [...plain, "i32" as const] : plain, code = new Code(parameters.length);
    if (toVector) code.get(args.length);
    args.forEach((type, i) => {
      code.get(i);
      if (type === "v128") code.simdMemory(OpSimd.V128_LOAD, 0);
    });
    code.call(index);
    if (toVector) code.simdMemory(OpSimd.V128_STORE, 0);
    module.export(name, module.function({ parameters, results: result && !toVector ? [result] : [] }, code));
  }
  const kernel = new WebAssembly.Instance(kernelModule(), { env: { memory } }).exports;
  const around = new WebAssembly.Module(module.toBytes());
  return new WebAssembly.Instance(around, { env: { memory }, kernel }).exports as Record<string, TestKernel>;
}
