/** INT 10h AH=11h: fonts in text and graphics modes. Source: IBM PS/2 BIOS interface technical reference. */
import { loadFont } from "../devices/vga/program.ts";
import { Crtc, Sequencer, VgaPort } from "../devices/vga/registers.ts";
import { Bda } from "./bda.ts";
import type { Call } from "./call.ts";
import type { VideoScreen } from "./video_screen.ts";
import { type BiosFonts, VIDEO_ROM, type VideoRom } from "./vga_rom.ts";

const MONO_TEXT = 7;
const HEIGHTS: Readonly<Record<number, 8 | 14 | 16>> = { 1: 14, 2: 8, 3: 14, 4: 16 };

/** Serves AH=11h. `setCursor` programs a cursor of the given lines (first << 8 | last). */
export function handleFonts(
  call: Call,
  screen: VideoScreen,
  fonts: BiosFonts,
  rom: VideoRom,
  setCursor: (shape: number) => void,
): void {
  switch (call.al >> 4) {
    case 0:
    case 1:
      loadTextFont(call, screen, fonts, setCursor);
      return;
    case 2:
      selectGraphicsFont(call, screen, rom);
      return;
    case 3:
      if (call.al === 0x30) fontInformation(call, screen, rom);
      return;
  }
}

function loadTextFont(call: Call, screen: VideoScreen, fonts: BiosFonts, setCursor: (shape: number) => void): void {
  const kind = call.al & 0x0f;
  const { mode } = screen;
  if (kind === 3) {
    screen.setIndexed(VgaPort.SEQUENCER, Sequencer.CHARACTER_MAP_SELECT, call.bl);
    return;
  }
  if (mode === null || !mode.text || kind > 4) return;
  const height = kind === 0 ? call.bh : HEIGHTS[kind];
  if (height === 0 || height > 32) return;
  const count = kind === 0 ? Math.min(call.cx, 256) : 256;
  const shapes = kind === 0 ? screen.memory.bytes(call.atEs(call.bp), count * height) : fonts[HEIGHTS[kind]];
  loadFont(screen.ports, screen.memory.physical, mode.number, shapes, height, {
    block: call.bl & 7,
    first: kind === 0 ? call.dx & 0xff : 0,
  });
  if (call.al >= 0x10) fitScreen(screen, height, setCursor);
}

/** Recalculates lines, page size and cursor for characters of `height` lines on the picture as it is. */
function fitScreen(screen: VideoScreen, height: number, setCursor: (shape: number) => void): void {
  const { memory } = screen;
  const overflow = screen.crtc(Crtc.OVERFLOW);
  const lines = (screen.crtc(Crtc.VERTICAL_DISPLAY_END) | (overflow & 2) << 7 | (overflow & 0x40) << 3) + 1;
  const scan = screen.crtc(Crtc.MAXIMUM_SCAN_LINE);
  screen.setCrtc(Crtc.MAXIMUM_SCAN_LINE, scan & 0xe0 | height - 1);
  const shown = (scan & 0x80) !== 0 ? lines >> 1 : lines;
  const rows = Math.max(1, Math.floor(shown / height));
  // Only whole lines of characters are displayed.
  const end = (rows * height << ((scan & 0x80) !== 0 ? 1 : 0)) - 1;
  screen.setCrtc(Crtc.VERTICAL_DISPLAY_END, end);
  screen.setCrtc(Crtc.OVERFLOW, overflow & ~0x42 | (end >> 7 & 2) | (end >> 3 & 0x40));
  memory.write8(Bda.VIDEO_ROWS, rows - 1);
  memory.write16(Bda.CHAR_HEIGHT, height);
  memory.write16(Bda.VIDEO_PAGE_SIZE, rows * screen.columns * 2 + 0xff & ~0xff);
  if (screen.mode?.number === MONO_TEXT) screen.setCrtc(Crtc.UNDERLINE_LOCATION, height - 1);
  setCursor(height <= 8 ? 0x0607 : height - 3 << 8 | height - 2);
}

function selectGraphicsFont(call: Call, screen: VideoScreen, rom: VideoRom): void {
  const { memory } = screen;
  const point = (vector: number, segment: number, offset: number) => {
    memory.write16(vector * 4, offset);
    memory.write16(vector * 4 + 2, segment);
  };
  const user = call.bp;
  const kind = call.al & 0x0f;
  if (kind === 0) {
    point(0x1f, call.es, user);
    return;
  }
  if (kind > 4) return;
  const height = kind === 1 ? call.cx : HEIGHTS[kind];
  if (kind === 1) point(0x43, call.es, user);
  else point(0x43, VIDEO_ROM.SEGMENT, rom.fonts[HEIGHTS[kind]]);
  memory.write16(Bda.CHAR_HEIGHT, height);
  const rows = call.bl === 0 ? call.dl : [0, 14, 25, 43][call.bl] ?? 25;
  memory.write8(Bda.VIDEO_ROWS, rows - 1);
}

function fontInformation(call: Call, screen: VideoScreen, rom: VideoRom): void {
  const { memory } = screen;
  const inRom = (offset: number): [number, number] => [VIDEO_ROM.SEGMENT, offset];
  const vector = (number: number): [number, number] => [memory.read16(number * 4 + 2), memory.read16(number * 4)];
  const pointers = [
    vector(0x1f),
    vector(0x43),
    inRom(rom.fonts[14]),
    inRom(rom.fonts[8]),
    inRom(rom.fonts[8] + 1024),
    inRom(rom.alternateFont),
    inRom(rom.fonts[16]),
    inRom(rom.alternateFont),
  ];
  const pointer = pointers[call.bh];
  if (pointer === undefined) return;
  [call.es, call.bp] = pointer;
  call.cx = screen.charHeight;
  call.dl = memory.read8(Bda.VIDEO_ROWS);
}
