/** A serial line as a terminal shows it, so that screens on serial consoles can be read and waited for. */
import type { GuestContext } from "./context.ts";
import { type Emulator, loadEmulator, newEmulator } from "./emulator.ts";
import { type Cell, type TextGrid, TextView } from "./text_view.ts";
import type { Transcript } from "./transcript.ts";

type Buffer = Emulator["buffer"]["active"];
type BufferCell = NonNullable<ReturnType<NonNullable<ReturnType<Buffer["getLine"]>>["getCell"]>>;

/** Size of a {@link SerialTerminal}. */
export interface TerminalSize {
  /** Default 80. */
  readonly columns?: number;
  /** Default 24. */
  readonly rows?: number;
}

/** The 16 colours of a VGA text screen, which terminals without a theme of their own use, too. */
const ANSI = [
  "#000000",
  "#aa0000",
  "#00aa00",
  "#aa5500",
  "#0000aa",
  "#aa00aa",
  "#00aaaa",
  "#aaaaaa",
  "#555555",
  "#ff5555",
  "#55ff55",
  "#ffff55",
  "#5555ff",
  "#ff55ff",
  "#55ffff",
  "#ffffff",
];

const hex = (value: number) => value.toString(16).padStart(2, "0");

/** Colour `index` of the 256-colour palette of xterm: 16 ANSI colours, a 6×6×6 cube, 24 greys. */
function paletteColour(index: number): string {
  if (index < 16) return ANSI[index];
  if (index >= 232) return `#${hex(8 + 10 * (index - 232)).repeat(3)}`;
  const level = (step: number) => hex(step === 0 ? 0 : 55 + 40 * step);
  const cube = index - 16;
  return `#${level(Math.floor(cube / 36))}${level(Math.floor(cube / 6) % 6)}${level(cube % 6)}`;
}

function cellOf(cell: BufferCell | undefined): Cell {
  if (cell === undefined) return { character: " ", foreground: ANSI[7], background: ANSI[0], blink: false };
  const colour = (rgb: boolean, palette: boolean, value: number, fallback: string) =>
    rgb ? `#${value.toString(16).padStart(6, "0")}` : palette ? paletteColour(value) : fallback;
  const foreground = colour(cell.isFgRGB(), cell.isFgPalette(), cell.getFgColor(), ANSI[7]);
  const background = colour(cell.isBgRGB(), cell.isBgPalette(), cell.getBgColor(), ANSI[0]);
  const inverse = cell.isInverse() !== 0;
  return {
    character: cell.getChars() || " ",
    foreground: inverse ? background : foreground,
    background: inverse ? foreground : background,
    blink: cell.isBlink() !== 0,
  };
}

/**
 * A terminal of the xterm kind on a serial line. It only watches: it does not answer the guest's questions about its
 * size or state.
 */
export class SerialTerminal extends TextView {
  readonly #transcript: Transcript;
  /** Undefined as long as nothing has been received. */
  #emulator: Emulator | undefined;
  #size: { readonly columns: number; readonly rows: number };
  #written = 0;
  #generation: number;
  #pending: Promise<void> = Promise.resolve();

  /** @internal Made by {@link Serial.terminal}, not by scripts. */
  constructor(context: GuestContext, name: string, transcript: Transcript, size: TerminalSize = {}) {
    super(context, name);
    this.#transcript = transcript;
    this.#generation = transcript.generation;
    this.#size = { columns: size.columns ?? 80, rows: size.rows ?? 24 };
  }

  /** Gives the emulator what has been received since the last time. Guests load it as soon as there is something. */
  #feed(): Emulator | undefined {
    const emulator = this.#emulator ??= newEmulator(this.#size.columns, this.#size.rows);
    if (this.#transcript.generation !== this.#generation) {
      emulator?.reset();
      this.#written = 0;
      this.#generation = this.#transcript.generation;
    }
    if (this.#transcript.received === this.#written || !emulator) return emulator;
    const bytes = this.#transcript.bytesSince(this.#written);
    this.#written = this.#transcript.received;
    // Input of a user makes the emulator handle the next write at once instead of after a timer.
    emulator.input("", true);
    this.#pending = new Promise((resolve) => emulator.write(bytes, resolve));
    return emulator;
  }

  /** Gives the emulator what has been received. */
  override async prepare(): Promise<void> {
    await loadEmulator();
    this.#feed();
    await this.#pending;
  }

  /** The characters as they are now. */
  override grid(): TextGrid {
    const buffer = this.#feed()?.buffer.active, { columns, rows } = this.#size;
    const line = (row: number) => buffer?.getLine(buffer.baseY + row);
    return {
      rows,
      columns,
      lines: Array.from({ length: rows }, (_, row) => (line(row)?.translateToString(false) ?? "").padEnd(columns)),
      cursor: { row: buffer?.cursorY ?? 0, column: Math.min(buffer?.cursorX ?? 0, columns - 1), visible: true },
      cell: (row, column) => cellOf(line(row)?.getCell(column)),
    };
  }

  /** Changes the size. Guests do not learn of it by themselves: a serial line has no way to tell. */
  resize(columns: number, rows: number): void {
    this.#size = { columns, rows };
    this.#emulator?.resize(columns, rows);
  }
}
