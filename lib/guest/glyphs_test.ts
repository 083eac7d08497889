import { assertEquals } from "@std/assert";
import { CP437, toCp437 } from "../devices/vga/mod.ts";
import { FONTS } from "../firmware/fonts.ts";
import { type GlyphGrid, recognizeText } from "./glyphs.ts";
import type { Picture } from "./png.ts";

interface Drawn extends Picture {
  text(column: number, row: number, text: string, ink?: number, paper?: number): void;
  dot(x: number, y: number, color: number): void;
}

/** An empty picture of `width` × `height` pixels of `scale` × `scale` dots, drawn on with the font of `fontHeight`. */
function canvas(width: number, height: number, fontHeight: 8 | 14 | 16, scale = 1, fill = 0): Drawn {
  const data = new Uint8Array(width * height * scale * scale * 4).fill(255);
  const dot = (x: number, y: number, color: number) => {
    for (let i = 0; i < scale * scale; i++) {
      const at = ((y * scale + Math.floor(i / scale)) * width * scale + x * scale + i % scale) * 4;
      data.set([color >> 16, color >> 8 & 255, color & 255], at);
    }
  };
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) dot(x, y, fill);
  return {
    width: width * scale,
    height: height * scale,
    data,
    dot,
    text(column, row, text, ink = 0xffffff, paper = fill) {
      [...text].forEach((character, i) => {
        for (let y = 0; y < fontHeight; y++) {
          const bits = FONTS[fontHeight][toCp437(character) * fontHeight + y];
          for (let x = 0; x < 8; x++) {
            dot((column + i) * 8 + x, row * fontHeight + y, bits >> (7 - x) & 1 ? ink : paper);
          }
        }
      });
    },
  };
}

function texts(grid: GlyphGrid | null): string[] {
  return grid?.lines.map((line) => line.trimEnd()).filter((line) => line !== "") ?? [];
}

for (const height of [8, 14, 16] as const) {
  Deno.test(`recognizeText: finds the 8×${height} font by itself`, () => {
    const picture = canvas(320, 112, height);
    picture.text(3, 2, "Hello, World!");
    picture.text(0, 4, "░▒▓ ÄÖÜ ┌─┐");
    const grid = recognizeText(picture);
    assertEquals(texts(grid), ["   Hello, World!", "░▒▓ ÄÖÜ ┌─┐"]);
    assertEquals([grid?.columns, grid?.rows, grid?.cellHeight], [40, Math.floor(112 / height), height]);
  });
}

Deno.test("recognizeText: reads doubled pixels, colours and inverse text", () => {
  const picture = canvas(160, 32, 8, 2, 0x0000aa);
  picture.text(0, 1, "Menu", 0xffff55);
  picture.text(6, 1, "Exit", 0x0000aa, 0xaaaaaa);
  const grid = recognizeText(picture)!;
  assertEquals(texts(grid), ["Menu  Exit"]);
  assertEquals([grid.cellWidth, grid.cellHeight], [16, 16]);
  const at = grid.columns;
  assertEquals([grid.foregrounds[at], grid.backgrounds[at]], [0xffff55, 0x0000aa]);
  assertEquals([grid.foregrounds[at + 6], grid.backgrounds[at + 6]], [0x0000aa, 0xaaaaaa]);
});

Deno.test("recognizeText: reads text beside a picture, and nothing in a picture without text", () => {
  const picture = canvas(320, 64, 16);
  for (let y = 0; y < 48; y++) for (let x = 100; x < 200; x++) picture.dot(x, y, x * y * 7919 & 0xffffff);
  assertEquals(recognizeText(picture), null);
  picture.text(0, 3, "Loading");
  assertEquals(texts(recognizeText(picture)), ["Loading"]);
});

Deno.test("recognizeText: every character but the full block, a cell of one colour, is read as itself", () => {
  const picture = canvas(256, 128, 16);
  for (let row = 0; row < 8; row++) picture.text(0, row, CP437.slice(row * 32, row * 32 + 32));
  const read = recognizeText(picture)!.lines.join("");
  const wrong = [...CP437].filter((character, code) => read[code] !== character && character !== "\u00a0");
  assertEquals(wrong, ["█"]);
});
