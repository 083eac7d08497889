/** Where the beam is: frame rate, retrace and blink phases, all computed from guest time and the CRT controller. */
import { Crtc, MiscellaneousBit, Sequencer, SequencerBit, StatusBit, type VgaState } from "./registers.ts";

const NS_PER_SECOND = 1e9;
const CLOCK_25 = 25_175_000;
const CLOCK_28 = 28_322_000;

/** Frames that the cursor is shown, and then hidden. */
const CURSOR_BLINK_FRAMES = 8;
/** Frames that a blinking character is shown, and then hidden. */
const CHARACTER_BLINK_FRAMES = 16;

/** The durations of the programmed picture. */
interface Timing {
  /** Nanoseconds a scan line. */
  readonly line: number;
  /** Nanoseconds of a scan line that are displayed. */
  readonly displayedLine: number;
  /** Nanoseconds a frame. */
  readonly frame: number;
  /** Scan lines that are displayed. */
  readonly displayedLines: number;
  /** Scan lines at which the vertical retrace begins and ends. */
  readonly retraceStart: number;
  readonly retraceEnd: number;
}

/** A vertical register of ten bits: eight of its own, one or two in the overflow register. */
function tall(crtc: Uint8Array, register: number, bit8: number, bit9: number): number {
  const overflow = crtc[Crtc.OVERFLOW];
  return crtc[register] | ((overflow >> bit8) & 1) << 8 | ((overflow >> bit9) & 1) << 9;
}

/** Scan lines that are displayed. */
export function displayedLines(crtc: Uint8Array): number {
  return tall(crtc, Crtc.VERTICAL_DISPLAY_END, 1, 6) + 1;
}

/** The line after which the memory address counter restarts at 0. */
export function lineCompare(crtc: Uint8Array): number {
  return crtc[Crtc.LINE_COMPARE] | ((crtc[Crtc.OVERFLOW] >> 4) & 1) << 8 |
    ((crtc[Crtc.MAXIMUM_SCAN_LINE] >> 6) & 1) << 9;
}

/** Durations of the picture that the CRT controller is programmed for. */
function timing(state: VgaState): Timing {
  const { crtc, sequencer, miscellaneous } = state;
  const clocking = sequencer[Sequencer.CLOCKING_MODE];
  const dots = (clocking & SequencerBit.EIGHT_DOTS) !== 0 ? 8 : 9;
  const divisor = (clocking & SequencerBit.HALF_DOT_CLOCK) !== 0 ? 2 : 1;
  const frequency = ((miscellaneous & MiscellaneousBit.CLOCK_28) !== 0 ? CLOCK_28 : CLOCK_25) / divisor;
  const character = dots * NS_PER_SECOND / frequency;
  const line = (crtc[Crtc.HORIZONTAL_TOTAL] + 5) * character;
  const total = tall(crtc, Crtc.VERTICAL_TOTAL, 0, 5) + 2;
  const retraceStart = tall(crtc, Crtc.VERTICAL_RETRACE_START, 2, 7);
  // The end register holds four bits of the line number: the retrace is 1 to 16 lines long.
  const length = ((crtc[Crtc.VERTICAL_RETRACE_END] - retraceStart - 1) & 0x0f) + 1;
  return {
    line,
    displayedLine: (crtc[Crtc.HORIZONTAL_DISPLAY_END] + 1) * character,
    frame: line * total,
    displayedLines: displayedLines(crtc),
    retraceStart,
    retraceEnd: retraceStart + length,
  };
}

/** Bits 0 and 3 of input status 1 at guest time `now`. */
export function beamStatus(state: VgaState, now: number): number {
  const t = timing(state);
  const inFrame = now % t.frame;
  const line = Math.floor(inFrame / t.line);
  if (line >= t.retraceStart && line < t.retraceEnd) return StatusBit.DISPLAY_DISABLED | StatusBit.VERTICAL_RETRACE;
  return line >= t.displayedLines || inFrame % t.line >= t.displayedLine ? StatusBit.DISPLAY_DISABLED : 0;
}

/** Which half of its blink period the cursor and blinking characters are in at guest time `now`. */
export function blinkPhases(state: VgaState, now: number): { cursor: boolean; character: boolean } {
  const frame = Math.floor(now / timing(state).frame);
  return {
    cursor: Math.floor(frame / CURSOR_BLINK_FRAMES) % 2 === 0,
    character: Math.floor(frame / CHARACTER_BLINK_FRAMES) % 2 === 0,
  };
}
