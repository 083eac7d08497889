/** A VGA on a board of its own, for tests. */
import { PhysicalMemory } from "../../machine/memory.ts";
import { IoPorts } from "../../machine/ports.ts";
import { FONTS } from "../../firmware/fonts.ts";
import { STANDARD_MODES } from "./modes.ts";
import { loadFont, programMode } from "./program.ts";
import { Vga } from "./vga.ts";

/** The parts of the test board. */
export interface VgaBoard {
  readonly vga: Vga;
  readonly memory: PhysicalMemory;
  readonly ports: IoPorts;
  /** Guest time; tests set it. */
  readonly clock: { now: number; schedule(): void; cancel(): void };
}

/** Makes a board with 1 MiB of RAM and a VGA with `vramSize` bytes. */
export function vgaBoard(vramSize = 0x40_0000): VgaBoard {
  const memory = new PhysicalMemory({ ram: 0x10_0000, extra: vramSize });
  memory.mapRam(0, 0x10_0000, 0);
  const ports = new IoPorts();
  const clock = { now: 0, schedule() {}, cancel() {} };
  const vga = new Vga({ memory, clock, vramSize });
  vga.attach(ports);
  return { vga, memory, ports, clock };
}

/** A board in standard mode `number`, with the ROM font in text modes and video memory zero elsewhere. */
export function vgaBoardInMode(number: number): VgaBoard {
  const board = vgaBoard();
  const { ports, memory } = board;
  programMode(ports, number);
  const mode = STANDARD_MODES.get(number);
  if (mode?.text) loadFont(ports, memory, number, FONTS[mode.fontHeight], mode.fontHeight);
  return board;
}

/** Writes register `index` of the pair of ports at `port`. */
export function setRegister(ports: IoPorts, port: number, index: number, value: number): void {
  ports.write(port, index, 1);
  ports.write(port + 1, value, 1);
}

/** Writes `text` with `attribute` at byte `address` of a text screen. */
export function printText(memory: PhysicalMemory, address: number, text: string, attribute = 7): void {
  [...text].forEach((character, i) => memory.write16(address + 2 * i, character.charCodeAt(0) | attribute << 8));
}
