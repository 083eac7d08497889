/**
 * Boots the scenes of fixtures/vga on the whole machine and compares the picture with QEMU's screen dump, dot by dot:
 * once under our own firmware, once under the VGA BIOS of Debian's `seabios` package where that is installed.
 */
import { assert, assertEquals } from "@std/assert";
import { MemoryDisk } from "../lib/disk/memory_disk.ts";
import { recognizeText } from "../lib/guest/glyphs.ts";
import { decodePng, type Picture } from "../lib/guest/png.ts";
import type { MachineConfig } from "../lib/machine/config.ts";
import { Machine } from "../lib/machine/machine.ts";
import { exists } from "../scripts/lib/files.ts";

const FIXTURES = new URL("../fixtures/vga/", import.meta.url);
const VGA_BIOS = "/usr/share/seabios/vgabios-stdvga.bin";
const FLOPPY_SIZE = 1_474_560, ROM_SIZE = 0x10000, ROM_SCENE = 0xa000;
const READY_ADDRESS = 0x600, READY = 0x55aa;
const SLICE = 250_000, SLICES = 40;
const SCENES =
  "text80 text40 text50 text28 textfonts mode13 modex split13 mode12 mode0d mode10 mode4 mode6 vbe8 vbe16 " +
  "vbe24 vbe32 glyphs12 glyphs13 glyphs10";

/** Where the scenes leave the cursor. */
const CURSOR = { row: 12, column: 34 };

function fixture(name: string): Promise<Uint8Array> {
  return Deno.readFile(new URL(name, FIXTURES));
}

/** Runs a scene to its end. */
function runScene(config: Partial<MachineConfig>): Machine {
  const machine = new Machine({ memory: 16 << 20, ...config });
  for (let i = 0; i < SLICES; i++) {
    machine.run(SLICE);
    if (machine.memory.read16(READY_ADDRESS) === READY) return machine;
  }
  throw new Error("the scene was not completed");
}

/** Paints the cell in which the cursor stands black: its shape and phase are the firmware's and the moment's. */
function withoutCursor(machine: Machine, picture: Picture): Uint8Array {
  const data = picture.data.slice(), screen = machine.vga.textScreen();
  if (screen === null) return data;
  const width = picture.width / screen.columns, height = picture.height / screen.rows;
  for (let y = CURSOR.row * height; y < (CURSOR.row + 1) * height; y++) {
    const start = (y * picture.width + CURSOR.column * width) * 4;
    data.fill(0, start, start + width * 4);
  }
  return data;
}

/** Compares the picture of `machine` with the one that QEMU made of `scene`. */
async function compare(machine: Machine, scene: string): Promise<void> {
  const want = decodePng(await fixture(`${scene}.png`)), got = machine.vga.rasterize(machine.clock.now);
  assertEquals([got.width, got.height], [want.width, want.height]);
  const expected = withoutCursor(machine, want), actual = withoutCursor(machine, got);
  const at = actual.findIndex((value, i) => value !== expected[i]) >> 2;
  assert(at < 0, `the dot at (${at % want.width}, ${Math.floor(at / want.width)}) differs`);
}

const vgaBiosInstalled = exists(VGA_BIOS);

/** Boots a scene from a floppy under our firmware. */
async function bootScene(scene: string): Promise<Machine> {
  const floppy = new Uint8Array(FLOPPY_SIZE);
  floppy.set(await fixture(`${scene}.bin`));
  return runScene({ fda: new MemoryDisk(floppy) });
}

for (const scene of ["glyphs10", "glyphs12", "glyphs13"]) {
  Deno.test(`our firmware: the text of scene ${scene} can be read from its picture`, async () => {
    const machine = await bootScene(scene);
    const lines = recognizeText(machine.vga.rasterize(machine.clock.now))?.lines.map((line) => line.trimEnd());
    assertEquals(lines?.slice(0, 5), ["Drawn as a picture:", "", "  C:\\>dir *.com", "  0 file(s) found", ""]);
  });
}

for (const scene of SCENES.split(" ")) {
  Deno.test(`our firmware: scene ${scene} gives QEMU's picture`, async () => {
    await compare(await bootScene(scene), scene);
  });

  Deno.test({
    name: `Debian's VGA BIOS: scene ${scene} gives QEMU's picture`,
    ignore: !vgaBiosInstalled,
    fn: async () => {
      const bios = new Uint8Array(ROM_SIZE), end = await fixture("rom.bin");
      bios.set(await Deno.readFile(VGA_BIOS));
      bios.set(await fixture(`${scene}.bin`), ROM_SCENE);
      bios.set(end, ROM_SIZE - end.length);
      await compare(runScene({ firmware: { kind: "rom", bios } }), scene);
    },
  });
}
