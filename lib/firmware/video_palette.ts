/** INT 10h AH=10h: palette registers, overscan, blinking, and the DAC. Source: IBM PS/2 BIOS interface technical reference. */
import { Attribute, AttributeBit, VgaPort } from "../devices/vga/registers.ts";
import { Bda } from "./bda.ts";
import type { Call } from "./call.ts";
import type { VideoScreen } from "./video_screen.ts";

/** Serves AH=10h. */
export function handlePalette(call: Call, screen: VideoScreen): void {
  const { ports, memory } = screen;
  switch (call.al) {
    case 0x00:
      if (call.bl <= Attribute.COLOR_SELECT) screen.setAttribute(call.bl, call.bh);
      return;
    case 0x01:
      screen.setAttribute(Attribute.OVERSCAN_COLOR, call.bh);
      return;
    case 0x02: {
      const table = memory.bytes(call.atEs(call.dx), 17);
      for (let i = 0; i < 16; i++) screen.setAttribute(i, table[i]);
      screen.setAttribute(Attribute.OVERSCAN_COLOR, table[16]);
      return;
    }
    case 0x03: {
      const mode = screen.attribute(Attribute.MODE_CONTROL);
      screen.setAttribute(
        Attribute.MODE_CONTROL,
        (call.bl & 1) !== 0 ? mode | AttributeBit.BLINK : mode & ~AttributeBit.BLINK,
      );
      const control = memory.read8(Bda.VIDEO_MODE_CONTROL);
      memory.write8(Bda.VIDEO_MODE_CONTROL, (call.bl & 1) !== 0 ? control | 0x20 : control & ~0x20);
      return;
    }
    case 0x07:
      if (call.bl <= Attribute.COLOR_SELECT) call.bh = screen.attribute(call.bl);
      return;
    case 0x08:
      call.bh = screen.attribute(Attribute.OVERSCAN_COLOR);
      return;
    case 0x09: {
      const table = Uint8Array.from({ length: 17 }, (_, i) => screen.attribute(i < 16 ? i : Attribute.OVERSCAN_COLOR));
      memory.write(call.atEs(call.dx), table);
      return;
    }
    case 0x10:
      writeDac(screen, call.bx, Uint8Array.of(call.dh, call.ch, call.cl));
      if (grey(screen)) sumToGrey(screen, call.bx, 1);
      return;
    case 0x12:
      writeDac(screen, call.bx, memory.bytes(call.atEs(call.dx), Math.min(call.cx, 256) * 3));
      if (grey(screen)) sumToGrey(screen, call.bx, call.cx);
      return;
    case 0x13:
      selectPages(call, screen);
      return;
    case 0x15:
      [call.dh, call.ch, call.cl] = readDac(screen, call.bx, 1);
      return;
    case 0x17:
      memory.write(call.atEs(call.dx), readDac(screen, call.bx, call.cx));
      return;
    case 0x18:
      ports.write(VgaPort.PEL_MASK, call.bl, 1);
      return;
    case 0x19:
      call.bx = ports.read(VgaPort.PEL_MASK, 1);
      return;
    case 0x1a: {
      const sixteen = (screen.attribute(Attribute.MODE_CONTROL) & AttributeBit.P54_SELECT) !== 0;
      const select = screen.attribute(Attribute.COLOR_SELECT);
      call.bl = sixteen ? 1 : 0;
      call.bh = sixteen ? select & 15 : select >> 2 & 3;
      return;
    }
    case 0x1b:
      sumToGrey(screen, call.bx, call.cx);
      return;
  }
}

function grey(screen: VideoScreen): boolean {
  return (screen.memory.read8(Bda.VIDEO_MODESET_CONTROL) & 0x02) !== 0;
}

/** BL = 0 chooses between 4 pages of 64 and 16 pages of 16 colours, BL = 1 selects a page. */
function selectPages(call: Call, screen: VideoScreen): void {
  const mode = screen.attribute(Attribute.MODE_CONTROL);
  if (call.bl === 0) {
    screen.setAttribute(
      Attribute.MODE_CONTROL,
      (call.bh & 1) !== 0 ? mode | AttributeBit.P54_SELECT : mode & ~AttributeBit.P54_SELECT,
    );
  } else {
    screen.setAttribute(
      Attribute.COLOR_SELECT,
      (mode & AttributeBit.P54_SELECT) !== 0 ? call.bh & 15 : (call.bh & 3) << 2,
    );
  }
}

/** Reads `count` colours (at most 256) as red, green, blue. */
export function readDac(screen: VideoScreen, first: number, count: number): Uint8Array {
  screen.ports.write(VgaPort.DAC_READ, first & 0xff, 1);
  return Uint8Array.from({ length: Math.min(count, 256) * 3 }, () => screen.ports.read(VgaPort.DAC_DATA, 1));
}

/** Writes colours as red, green, blue. */
export function writeDac(screen: VideoScreen, first: number, colors: Uint8Array): void {
  screen.ports.write(VgaPort.DAC_WRITE, first & 0xff, 1);
  for (const component of colors) screen.ports.write(VgaPort.DAC_DATA, component, 1);
}

/** Replaces colours by their luminance: 30 % red, 59 % green, 11 % blue. */
function sumToGrey(screen: VideoScreen, first: number, count: number): void {
  const colors = readDac(screen, first, count);
  for (let i = 0; i < colors.length; i += 3) {
    const level = Math.min(0x3f, Math.round(0.3 * colors[i] + 0.59 * colors[i + 1] + 0.11 * colors[i + 2]));
    colors.fill(level, i, i + 3);
  }
  writeDac(screen, first, colors);
}
