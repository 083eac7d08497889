/**
 * Runs a Linux kernel in v86, its serial line to standard output byte by byte, for `scripts/bench.ts`:
 * `bench_v86.ts KERNEL INITRD COMMAND-LINE interpreter|translator`. The environment's V86DIR names the build folder of the npm
 * package. Ends when it is ended.
 */
import { pathToFileURL } from "node:url";

/** What is used of v86's interface. */
interface Emulator {
  add_listener(event: "serial0-output-byte", listener: (byte: number) => void): void;
}
interface V86Module {
  readonly V86: new (options: Record<string, unknown>) => Emulator;
}

const FIRMWARE = "/usr/share/seabios";

function file(path: string): { buffer: ArrayBuffer } {
  return { buffer: new Uint8Array(Deno.readFileSync(path)).buffer };
}

const [kernel, initrd, commandLine, tier] = Deno.args;
const folder = Deno.env.get("V86DIR") ?? "";
const { V86 }: V86Module = await import(pathToFileURL(`${folder}/libv86.mjs`).href);
const emulator = new V86({
  wasm_path: `${folder}/v86.wasm`,
  memory_size: 128 << 20,
  vga_memory_size: 8 << 20,
  bios: file(`${FIRMWARE}/bios.bin`),
  vga_bios: file(`${FIRMWARE}/vgabios-stdvga.bin`),
  bzimage: file(kernel),
  initrd: file(initrd),
  cmdline: commandLine,
  autostart: true,
  fastboot: true,
  disable_keyboard: true,
  disable_mouse: true,
  disable_speaker: true,
  disable_jit: tier === "interpreter",
});
emulator.add_listener("serial0-output-byte", (byte) => {
  Deno.stdout.writeSync(Uint8Array.of(byte));
});
