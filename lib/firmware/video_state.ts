/** INT 10h AH=1Ah (display combination), 1Bh (functionality), 1Ch (save and restore). Source: IBM PS/2 BIOS interface technical reference. */
import { Crtc, crtcPortOf, STATUS_FROM_CRTC, VgaPort } from "../devices/vga/registers.ts";
import { Bda } from "./bda.ts";
import type { Call } from "./call.ts";
import { readDac, writeDac } from "./video_palette.ts";
import type { VideoScreen } from "./video_screen.ts";
import { VIDEO_ROM, type VideoRom } from "./vga_rom.ts";

/** What AH=1Ch and VESA function 04h save; a set of bits. */
const SavePart = { HARDWARE: 1, DATA: 2, DAC: 4 } as const;

const BLOCK = 64;
const SEQUENCER = { port: VgaPort.SEQUENCER, count: 5 },
  GRAPHICS = { port: VgaPort.GRAPHICS, count: 9 },
  CRTC_COUNT = 25,
  ATTRIBUTE_COUNT = 21;
/** Index registers, miscellaneous, feature and mask bytes come first. */
const HARDWARE_SIZE = 8 + SEQUENCER.count + GRAPHICS.count + CRTC_COUNT + ATTRIBUTE_COUNT;
/** The data area's video part, 449–466 and 484–48A, the save pointer, and the vectors 05, 1Dh, 1Fh, 43h. */
const DATA_RANGES = [[Bda.VIDEO_MODE, 30], [Bda.VIDEO_ROWS, 7], [Bda.VIDEO_SAVE_POINTER, 4], [0x1f * 4, 4], [
  0x43 * 4,
  4,
]];
const DATA_SIZE = DATA_RANGES.reduce((sum, [, length]) => sum + length, 0);
const DAC_SIZE = 1 + 768;

/** Serves AH=1Ah, 1Bh and 1Ch. */
export function handleState(call: Call, screen: VideoScreen, rom: VideoRom): void {
  switch (call.ah) {
    case 0x1a:
      displayCombination(call, screen);
      return;
    case 0x1b:
      if (call.bx !== 0) return;
      screen.memory.write(call.atEs(call.di), functionality(screen, rom));
      call.al = 0x1b;
      return;
    case 0x1c:
      if (call.al === 0) call.bx = saveSize(call.cx) / BLOCK;
      else if (call.al === 1) saveState(screen, call.cx, call.atEs(call.bx));
      else if (call.al === 2) restoreState(screen, call.cx, call.atEs(call.bx));
      else return;
      call.al = 0x1c;
      return;
  }
}

function displayCombination(call: Call, screen: VideoScreen): void {
  if (call.al === 0) {
    call.bl = screen.memory.read8(Bda.VIDEO_DCC_INDEX);
    call.bh = 0;
  } else if (call.al === 1) {
    screen.memory.write8(Bda.VIDEO_DCC_INDEX, call.bl);
  } else {
    return;
  }
  call.al = 0x1a;
}

function functionality(screen: VideoScreen, rom: VideoRom): Uint8Array {
  const { memory, mode } = screen;
  const table = new Uint8Array(64);
  const view = new DataView(table.buffer);
  view.setUint16(0, rom.functionality, true);
  view.setUint16(2, VIDEO_ROM.SEGMENT, true);
  table.set(memory.bytes(Bda.VIDEO_MODE, 30), 4);
  table[0x22] = memory.read8(Bda.VIDEO_ROWS) + 1;
  view.setUint16(0x23, memory.read16(Bda.CHAR_HEIGHT), true);
  table[0x25] = memory.read8(Bda.VIDEO_DCC_INDEX);
  view.setUint16(0x27, mode === null ? 256 : Math.min(256, 1 << mode.bitsPerPixel), true);
  table[0x29] = mode?.pages ?? 1;
  // Scan lines: 0 = 200, 1 = 350, 2 = 400, 3 = 480.
  table[0x2a] = [200, 350, 400, 480].indexOf(mode?.height ?? 400) & 3;
  // All modes on all displays; default palette loading as it is switched.
  table[0x2d] = 0x21;
  table[0x31] = 3;
  return table;
}

/** Bytes that the parts in `parts` fill. */
export function saveLength(parts: number): number {
  return ((parts & SavePart.HARDWARE) !== 0 ? HARDWARE_SIZE : 0) +
    ((parts & SavePart.DATA) !== 0 ? DATA_SIZE : 0) + ((parts & SavePart.DAC) !== 0 ? DAC_SIZE : 0);
}

/** Bytes to be set aside for the parts in `parts`, a multiple of 64. */
export function saveSize(parts: number): number {
  return Math.ceil(saveLength(parts) / BLOCK) * BLOCK;
}

/** Saves `parts` at linear address `at`; returns the address behind. */
export function saveState(screen: VideoScreen, parts: number, at: number): number {
  const { memory, ports } = screen;
  const bytes: number[] = [];
  if ((parts & SavePart.HARDWARE) !== 0) {
    const crtc = screen.crtcPort;
    const single = [VgaPort.MISCELLANEOUS_READ, VgaPort.FEATURE_CONTROL_READ, VgaPort.PEL_MASK];
    bytes.push(...[SEQUENCER.port, crtc, GRAPHICS.port, ...single].map((port) => ports.read(port, 1)), 0, 0);
    for (const { port, count } of [SEQUENCER, GRAPHICS, { port: crtc, count: CRTC_COUNT }]) {
      for (let i = 0; i < count; i++) bytes.push(screen.indexed(port, i));
      ports.write(port, bytes[[SEQUENCER.port, crtc, GRAPHICS.port].indexOf(port)], 1);
    }
    for (let i = 0; i < ATTRIBUTE_COUNT; i++) bytes.push(screen.attribute(i));
  }
  if ((parts & SavePart.DATA) !== 0) {
    for (const [address, length] of DATA_RANGES) bytes.push(...memory.bytes(address, length));
  }
  if ((parts & SavePart.DAC) !== 0) bytes.push(ports.read(VgaPort.PEL_MASK, 1), ...readDac(screen, 0, 256));
  memory.write(at, Uint8Array.from(bytes));
  return at + bytes.length;
}

/** Restores what {@link saveState} has written; returns the address behind. */
export function restoreState(screen: VideoScreen, parts: number, from: number): number {
  const { memory, ports } = screen;
  let at = from;
  const next = () => memory.read8(at++);
  if ((parts & SavePart.HARDWARE) !== 0) {
    const indices = [next(), next(), next()];
    const [miscellaneous, feature, mask] = [next(), next(), next()];
    at += 2;
    ports.write(VgaPort.MISCELLANEOUS, miscellaneous, 1);
    const crtc = crtcPortOf(miscellaneous);
    ports.write(crtc + STATUS_FROM_CRTC, feature, 1);
    ports.write(VgaPort.PEL_MASK, mask, 1);
    const groups = [SEQUENCER, GRAPHICS, { port: crtc, count: CRTC_COUNT }];
    for (const { port, count } of groups) {
      if (port === crtc) screen.setIndexed(port, Crtc.VERTICAL_RETRACE_END, 0);
      for (let i = 0; i < count; i++) screen.setIndexed(port, i, next());
    }
    for (let i = 0; i < ATTRIBUTE_COUNT; i++) screen.setAttribute(i, next());
    [SEQUENCER.port, crtc, GRAPHICS.port].forEach((port, i) => ports.write(port, indices[i], 1));
  }
  if ((parts & SavePart.DATA) !== 0) {
    for (const [address, length] of DATA_RANGES) {
      memory.write(address, memory.bytes(at, length));
      at += length;
    }
  }
  if ((parts & SavePart.DAC) !== 0) {
    ports.write(VgaPort.PEL_MASK, next(), 1);
    writeDac(screen, 0, memory.bytes(at, 768));
    at += 768;
  }
  return at;
}
