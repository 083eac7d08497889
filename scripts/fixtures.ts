/**
 * Builds the fixture guest's disk image with nasm: `deno task fixtures`.
 *
 * fixtures/guest.img is a 1.44 MB floppy image, most of it zeros; the same image boots as a hard disk.
 */
import { fileURLToPath } from "node:url";

const SOURCE_FOLDER = fileURLToPath(new URL("../fixtures/guest/", import.meta.url));
const IMAGE = fileURLToPath(new URL("../fixtures/guest.img", import.meta.url));
/** 80 cylinders, 2 heads, 18 sectors. */
const FLOPPY_BYTES = 80 * 2 * 18 * 512;

/** Assembles `guest.asm` in `folder` and returns the bytes. Throws with nasm's messages, or with how to get nasm. */
async function assemble(folder: string): Promise<Uint8Array> {
  const temporary = await Deno.makeTempDir(), output = `${temporary}/guest.bin`;
  try {
    const command = new Deno.Command("nasm", {
      args: ["-f", "bin", `-I${folder}`, `${folder}guest.asm`, "-o", output],
      stderr: "piped",
    });
    const result = await command.output();
    if (!result.success) throw new Error(new TextDecoder().decode(result.stderr));
    return await Deno.readFile(output);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new Error("nasm is not installed (apt-get install nasm)");
    throw error;
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
}

async function main(): Promise<void> {
  const code = await assemble(SOURCE_FOLDER);
  const image = new Uint8Array(FLOPPY_BYTES);
  image.set(code);
  await Deno.writeFile(IMAGE, image);
  console.log(`${IMAGE}: ${code.length} bytes of code in a ${FLOPPY_BYTES} byte image`);
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    Deno.exit(1);
  }
}
