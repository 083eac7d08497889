import { assert, assertEquals } from "@std/assert";
import { decodePng } from "../../guest/png.ts";
import type { RasterOptions } from "./raster.ts";
import { Graphics, GraphicsBit } from "./registers.ts";
import { printText, setRegister, type VgaBoard, vgaBoard, vgaBoardInMode } from "./testing.ts";

const FIXTURES = new URL("../../../fixtures/vga/", import.meta.url);
const CRTC = 0x3d4, SEQUENCER = 0x3c4;

/** What `scripts/vga_fixtures.ts` writes: registers in hexadecimal, 16-bit ones with the low byte first. */
type Scene = Record<
  "miscellaneous" | "sequencer" | "crtc" | "graphics" | "attribute" | "palette" | "dispi" | "vram",
  string
>;

async function loadScene(name: string): Promise<VgaBoard> {
  const scene: Scene = JSON.parse(await Deno.readTextFile(new URL(`${name}.json`, FIXTURES)));
  const board = vgaBoard(), { state, vramBytes } = board.vga;
  state.miscellaneous = parseInt(scene.miscellaneous, 16);
  state.attributeIndex = 0x20;
  for (const set of ["sequencer", "crtc", "graphics", "attribute", "palette"] as const) {
    state[set].set(Uint8Array.fromHex(scene[set]));
  }
  state.dispi.set(new Uint16Array(Uint8Array.fromHex(scene.dispi).buffer));
  const packed = new Blob([Uint8Array.fromBase64(scene.vram)]).stream().pipeThrough(new DecompressionStream("gzip"));
  const vram = new Uint8Array(await new Response(packed).arrayBuffer());
  vramBytes.set(vram);
  if ((state.graphics[Graphics.MISCELLANEOUS] & GraphicsBit.CHAIN_ODD_EVEN) !== 0) {
    // QEMU keeps odd/even characters in adjacent cells, the IBM VGA (and ours) in every second one.
    for (let cell = 0; cell < 0x10000; cell++) {
      for (let plane = 0; plane < 2; plane++) {
        vramBytes[cell * 4 + plane] = (cell & 1) === 0 ? vram[cell * 2 + plane] : 0;
      }
    }
  }
  return board;
}

/** The position and colours of the first dot that differs, or null. */
function firstDifference({ vga }: VgaBoard, want: ReturnType<typeof decodePng>, options: RasterOptions): string | null {
  const got = vga.rasterize(0, options);
  if (got.width !== want.width || got.height !== want.height) {
    return `${got.width}x${got.height} instead of ${want.width}x${want.height}`;
  }
  const at = got.data.findIndex((value, i) => value !== want.data[i]);
  if (at < 0) return null;
  const dot = at >> 2, color = (data: Uint8Array) => data.subarray(dot * 4, dot * 4 + 3).join();
  return `(${dot % want.width}, ${Math.floor(dot / want.width)}) is ${color(got.data)} instead of ${color(want.data)}`;
}

const SCENES = "text80 text40 text50 text28 textfonts textmono mode13 modex split13 mode12 mode0d mode10 mode4 mode6 " +
  "vbe8 vbe16 vbe24 vbe32 glyphs12 glyphs13 glyphs10";

for (const scene of SCENES.split(" ")) {
  Deno.test(`rasterize: scene ${scene} agrees with QEMU's screen dump in every dot`, async () => {
    const board = await loadScene(scene);
    const want = decodePng(await Deno.readFile(new URL(`${scene}.png`, FIXTURES)));
    const shown = firstDifference(board, want, { cursor: "on" });
    // The dump may have caught the cursor in either phase.
    if (shown !== null) {
      assertEquals(firstDifference(board, want, { cursor: "off" }), null, `with the cursor: ${shown}`);
    }
  });
}

/** The red, green and blue of a dot. */
function dot({ vga }: VgaBoard, x: number, y: number, options: RasterOptions = {}, now = 0): number[] {
  const { width, data } = vga.rasterize(now, options);
  return [...data.subarray((y * width + x) * 4, (y * width + x) * 4 + 3)];
}

const GREY = [168, 168, 168], BLACK = [0, 0, 0], BLUE = [0, 0, 168], WHITE = [255, 255, 255], BROWN = [168, 87, 0];

Deno.test("rasterize: 15-bit pixels spread over the full range of brightness", async () => {
  const board = await loadScene("vbe15");
  board.vga.vramBytes.set([0xff, 0x7f, 0x10, 0x42]);
  assertEquals([dot(board, 0, 0), dot(board, 1, 0)], [WHITE, [132, 132, 132]]);
});

Deno.test("rasterize: the cursor blinks with guest time, every eight frames", () => {
  const board = vgaBoardInMode(3);
  board.memory.write16(0xb8000, 0x0720);
  const frame = 1e9 / 70.0863;
  const phases = [1, 7, 9, 15, 17].map((frames) => dot(board, 3, 13, {}, frames * frame)[0] !== 0);
  assertEquals(phases, [true, true, false, false, true]);
  assertEquals([dot(board, 3, 13, { cursor: "on" }, 9 * frame), dot(board, 3, 12, { cursor: "on" })], [GREY, BLACK]);
});

Deno.test("rasterize: attribute bit 7 is a bright background, or blinks every sixteen frames if asked to", () => {
  const board = vgaBoardInMode(3);
  board.memory.write16(0xb8000, 0x91db);
  const frame = 1e9 / 70.0863, options = { cursor: "off", blink: true } as const;
  board.memory.write16(0xb8002, 0x9120);
  assertEquals(dot(board, 10, 0, { cursor: "off" }), [87, 87, 255]);
  assertEquals(dot(board, 10, 0, options), BLUE);
  board.memory.write16(0xb8004, 0x9fdb);
  assertEquals([dot(board, 20, 0, options, frame), dot(board, 20, 0, options, 17 * frame)], [WHITE, BLUE]);
});

Deno.test("rasterize: the monochrome underline runs through the ninth column", () => {
  const board = vgaBoardInMode(7);
  board.memory.write16(0xb0002, 0x0120);
  assertEquals([dot(board, 9, 13), dot(board, 17, 13), dot(board, 9, 12), dot(board, 18, 13)], [
    GREY,
    GREY,
    BLACK,
    BLACK,
  ]);
});

Deno.test("rasterize: pel panning, byte panning and preset row scan move text by dots, characters and lines", () => {
  const board = vgaBoardInMode(3), { memory, ports } = board;
  memory.write16(0xb8002, 0x06db);
  ports.write(0x3d4, 0x0a, 1);
  ports.write(0x3d5, 0x20, 1);
  assertEquals([dot(board, 8, 0), dot(board, 9, 0)], [BLACK, BROWN]);
  ports.read(0x3da, 1);
  ports.write(0x3c0, 0x33, 1);
  ports.write(0x3c0, 2, 1);
  assertEquals([dot(board, 5, 0), dot(board, 6, 0), dot(board, 15, 0)], [BLACK, BROWN, BLACK]);
  setRegister(ports, CRTC, 8, 0x20);
  assertEquals([dot(board, 0, 0), dot(board, 6, 0)], [BROWN, BLACK]);
  setRegister(ports, CRTC, 8, 0x24);
  assertEquals([dot(board, 0, 11), dot(board, 0, 12)], [BROWN, BLACK]);
});

Deno.test("rasterize: below the line compare the picture restarts at address 0, without panning if so programmed", () => {
  const board = vgaBoardInMode(3), { memory, ports } = board;
  printText(memory, 0xb8000, "\xdb", 0x06);
  setRegister(ports, CRTC, 0x0a, 0x20);
  setRegister(ports, CRTC, 0x0d, 160);
  setRegister(ports, CRTC, 0x18, 99);
  setRegister(ports, CRTC, 0x07, 0x0f);
  setRegister(ports, CRTC, 0x09, 0x0f);
  assertEquals([dot(board, 0, 99), dot(board, 0, 100), dot(board, 0, 116)], [BLACK, BROWN, BLACK]);
  ports.read(0x3da, 1);
  ports.write(0x3c0, 0x33, 1);
  ports.write(0x3c0, 3, 1);
  assertEquals([dot(board, 4, 100), dot(board, 5, 100)], [BROWN, BLACK]);
  ports.read(0x3da, 1);
  ports.write(0x3c0, 0x30, 1);
  ports.write(0x3c0, 0x2c, 1);
  assertEquals([dot(board, 8, 100), dot(board, 9, 100)], [BROWN, BLACK]);
});

Deno.test("rasterize: a screen that is off, or whose palette is being loaded, is black", () => {
  const board = vgaBoardInMode(3), { memory, ports } = board;
  printText(memory, 0xb8000, "\xdb", 0x06);
  setRegister(ports, SEQUENCER, 1, 0x20);
  assertEquals(dot(board, 0, 0), BLACK);
  setRegister(ports, SEQUENCER, 1, 0x00);
  assertEquals(dot(board, 0, 0), BROWN);
  ports.read(0x3da, 1);
  ports.write(0x3c0, 0, 1);
  assertEquals(dot(board, 0, 0), BLACK);
  assert(board.vga.textScreen()?.line(0) !== undefined);
});
