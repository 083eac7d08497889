/**
 * Builds the fixture guests' disk images with nasm: `deno task fixtures`.
 *
 * fixtures/guest.img is a 1.44 MB floppy image, most of it zeros; the same image boots as a hard disk.
 * fixtures/torture.img is a hard disk image.
 */
import { fileURLToPath } from "node:url";

const FIXTURES = fileURLToPath(new URL("../fixtures/", import.meta.url));
/** 80 cylinders, 2 heads, 18 sectors. */
const FLOPPY_BYTES = 80 * 2 * 18 * 512;
/** Where the boot sector of the torture guest puts its two suites: width of code, file, address. */
const SUITES = [[32, "suite32.bin", "0xC000"], [64, "suite64.bin", "0x18000"]] as const;

/** Assembles `source` in `folder` to the file `output`. Throws with nasm's messages, or with how to get nasm. */
async function assemble(folder: string, source: string, output: string, ...options: string[]): Promise<void> {
  try {
    const command = new Deno.Command("nasm", {
      args: ["-f", "bin", `-I${folder}`, ...options, folder + source, "-o", output],
      stderr: "piped",
    });
    const result = await command.output();
    if (!result.success) throw new Error(new TextDecoder().decode(result.stderr));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new Error("nasm is not installed (apt-get install nasm)");
    throw error;
  }
}

async function buildGuest(temporary: string): Promise<void> {
  const output = `${temporary}/guest.bin`;
  await assemble(`${FIXTURES}guest/`, "guest.asm", output);
  const code = await Deno.readFile(output), image = new Uint8Array(FLOPPY_BYTES);
  image.set(code);
  await Deno.writeFile(`${FIXTURES}guest.img`, image);
  console.log(`guest.img: ${code.length} bytes of code in a ${FLOPPY_BYTES} byte image`);
}

async function buildTorture(temporary: string): Promise<void> {
  const folder = `${FIXTURES}torture/`, output = `${FIXTURES}torture.img`;
  for (const [width, file, origin] of SUITES) {
    await assemble(folder, "suite.asm", `${temporary}/${file}`, `-DWIDTH=${width}`, `-DORIGIN=${origin}`);
  }
  const origins = SUITES.map(([width, , origin]) => `-DSUITE_${width}=${origin}`);
  await assemble(folder, "torture.asm", output, `-I${temporary}/`, ...origins);
  console.log(`torture.img: ${(await Deno.stat(output)).size} bytes`);
}

async function main(): Promise<void> {
  const temporary = await Deno.makeTempDir();
  try {
    await buildGuest(temporary);
    await buildTorture(temporary);
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    Deno.exit(1);
  }
}
