/**
 * Makes fixtures/vga: assembles rom.asm and every scene of scenes.asm, runs the scenes in QEMU's standard VGA under
 * SeaBIOS and writes, per scene, the boot sector (bin), the adapter's registers and the first 256 KiB of its memory (JSON),
 * and QEMU's own screen dump (PNG).
 *
 * Needs `nasm` and `qemu-system-i386` (7.2 was used).
 *
 *     deno run --allow-read --allow-write --allow-run --allow-env scripts/vga_fixtures.ts [scene …]
 */

const FOLDER = new URL("../fixtures/vga/", import.meta.url).pathname;
const VRAM_SIZE = 0x40000;
const FLOPPY_SIZE = 1_474_560;
const READY_ADDRESS = 0x600, READY = "0x55aa";
const GUEST_TIMEOUT_MS = 20_000, POLL_MS = 50;
/** Commands sent to the monitor at once. */
const BATCH = 40;

/** A QEMU with its monitor on standard input and output. */
class Monitor {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<string>;
  #received = "";

  constructor(image: string) {
    const options = `-M pc -vga std -display none -net none -monitor stdio -m 16 -boot a`.split(" ");
    const drive = `file=${image},format=raw,if=floppy`;
    this.#child = new Deno.Command("qemu-system-i386", {
      args: [...options, "-drive", drive],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#reader = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Reads up to and including the next prompt. */
  async #untilPrompt(): Promise<string> {
    for (;;) {
      const end = this.#received.indexOf("(qemu) ");
      if (end >= 0) {
        const answer = this.#received.slice(0, end);
        this.#received = this.#received.slice(end + "(qemu) ".length);
        return answer;
      }
      const { value, done } = await this.#reader.read();
      if (done) throw new Error(`QEMU ended: ${this.#received}`);
      this.#received += value;
    }
  }

  /** Waits for the first prompt. */
  async start(): Promise<void> {
    await this.#untilPrompt();
  }

  /** Gives commands and returns their answers. */
  async run(...commands: string[]): Promise<string[]> {
    const answers: string[] = [];
    for (let i = 0; i < commands.length; i += BATCH) {
      const batch = commands.slice(i, i + BATCH);
      await this.#writer.write(new TextEncoder().encode(batch.join("\n") + "\n"));
      for (let k = 0; k < batch.length; k++) answers.push(await this.#untilPrompt());
    }
    return answers;
  }

  /** Runs a list of port accesses, `i` for reads and `o` for writes, and returns what the reads gave. */
  async ports(...accesses: string[]): Promise<number[]> {
    const answers = await this.run(...accesses);
    return answers.flatMap((answer) => {
      const found = answer.match(/port[bwl]\[[^\]]*\] = (0x[0-9a-f]+)/);
      return found === null ? [] : [Number(found[1])];
    });
  }

  /** The registers `0` to `count - 1` behind an index and a data port. */
  async indexed(port: number, count: number, width = "b"): Promise<number[]> {
    const [index] = await this.ports(`i /${width} ${port}`);
    const accesses = Array.from({ length: count }, (_, i) => [`o /${width} ${port} ${i}`, `i /${width} ${port + 1}`]);
    const values = await this.ports(...accesses.flat());
    await this.ports(`o /${width} ${port} ${index}`);
    return values;
  }

  async quit(): Promise<void> {
    await this.#writer.write(new TextEncoder().encode("quit\n"));
    await this.#child.status;
    await this.#writer.close().catch(() => {});
  }
}

/** Register values as hexadecimal digits, two a byte. */
function hex(bytes: number[]): string {
  return Uint8Array.from(bytes).toHex();
}

/** All registers of the adapter. */
async function registers(monitor: Monitor): Promise<Record<string, string>> {
  const [miscellaneous] = await monitor.ports("i /b 0x3cc");
  const crtc = (miscellaneous & 1) !== 0 ? 0x3d4 : 0x3b4, status = `i /b ${crtc + 6}`;
  const attribute: number[] = [];
  for (let index = 0; index < 0x15; index++) {
    attribute.push((await monitor.ports(status, `o /b 0x3c0 ${index}`, "i /b 0x3c1"))[1]);
  }
  await monitor.ports(status, "o /b 0x3c0 0x20");
  const dispi = await monitor.indexed(0x1ce, 10, "h");
  return {
    miscellaneous: hex([miscellaneous]),
    sequencer: hex(await monitor.indexed(0x3c4, 5)),
    crtc: hex(await monitor.indexed(crtc, 0x19)),
    graphics: hex(await monitor.indexed(0x3ce, 9)),
    attribute: hex(attribute),
    palette: hex(await monitor.ports("o /b 0x3c7 0", ...new Array(768).fill("i /b 0x3c9"))),
    dispi: hex(dispi.flatMap((value) => [value & 0xff, value >> 8])),
  };
}

async function waitUntilReady(monitor: Monitor): Promise<void> {
  for (let waited = 0; waited < GUEST_TIMEOUT_MS; waited += POLL_MS) {
    const [answer] = await monitor.run(`xp /1hx ${READY_ADDRESS}`);
    if (answer.includes(READY)) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error("the scene was not completed");
}

async function gzip(bytes: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([new Uint8Array(bytes)]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function assemble(source: string, target: string, ...options: string[]): Promise<void> {
  const args = ["-f", "bin", ...options, `${FOLDER}${source}`, "-o", target];
  const { success, stderr } = await new Deno.Command("nasm", { args, stderr: "piped" }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

async function capture(scene: string, folder: string): Promise<void> {
  const image = `${folder}/${scene}.img`, dump = `${folder}/${scene}.vram`, sector = `${FOLDER}${scene}.bin`;
  await assemble("scenes.asm", sector, `-dSCENE=${scene.toUpperCase()}`);
  await Deno.copyFile(sector, image);
  await Deno.truncate(image, FLOPPY_SIZE);
  const monitor = new Monitor(image);
  await monitor.start();
  await waitUntilReady(monitor);
  const [pci] = await monitor.run("info pci", "stop", `screendump "${FOLDER}${scene}.png" -f png`);
  const bar = pci.match(/VGA controller[^]*?BAR0: 32 bit prefetchable memory at (0x[0-9a-f]+)/);
  if (bar === null) throw new Error("QEMU shows no VGA");
  await monitor.run(`pmemsave ${bar[1]} ${VRAM_SIZE} "${dump}"`);
  const state = await registers(monitor);
  await monitor.quit();
  const vram = (await gzip(await Deno.readFile(dump))).toBase64();
  await Deno.writeTextFile(`${FOLDER}${scene}.json`, JSON.stringify({ ...state, vram }, null, 2) + "\n");
}

const source = await Deno.readTextFile(`${FOLDER}scenes.asm`);
const scenes = [...source.matchAll(/^%define (\w+) \d+$/gm)].map(([, name]) => name.toLowerCase());
await assemble("rom.asm", `${FOLDER}rom.bin`);
const temporary = await Deno.makeTempDir();
try {
  for (const scene of Deno.args.length > 0 ? Deno.args : scenes) {
    await capture(scene, temporary);
    console.log(scene);
  }
} finally {
  await Deno.remove(temporary, { recursive: true });
}
