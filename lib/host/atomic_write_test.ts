import { assertEquals, assertThrows } from "@std/assert";
import { FileWriteError, writeFileAtomically } from "./atomic_write.ts";

Deno.test("writeFileAtomically: replaces the file and leaves nothing else behind", () => {
  const folder = Deno.makeTempDirSync();
  try {
    const path = `${folder}/machine.snapshot`;
    writeFileAtomically(path, Uint8Array.of(1, 2));
    writeFileAtomically(path, Uint8Array.of(3));
    assertEquals(Deno.readFileSync(path), Uint8Array.of(3));
    assertThrows(() => writeFileAtomically(`${folder}/none/file`, Uint8Array.of(1)), FileWriteError, "cannot write");
    Deno.mkdirSync(`${folder}/taken`);
    assertThrows(() => writeFileAtomically(`${folder}/taken`, Uint8Array.of(1)), FileWriteError);
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["machine.snapshot", "taken"]);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
