/** The CRT controller's counters: which memory address and row scan belong to a scan line. */
import { Crtc, CrtcBit, type VgaState } from "./registers.ts";
import { lineCompare } from "./timing.ts";

/** The counters at the start of a scan line. */
export interface ScanLine {
  /** Memory address counter. */
  address: number;
  /** Line within the character row. */
  rowScan: number;
  /** Below the line compare: the second part of a split screen. */
  split: boolean;
}

/** Address of the first character or pixel byte. */
export function startAddress(state: VgaState): number {
  const { crtc } = state;
  return crtc[Crtc.START_ADDRESS_HIGH] << 8 | crtc[Crtc.START_ADDRESS_LOW];
}

/** Steps of the memory address counter from one row to the next. */
export function rowOffset(state: VgaState): number {
  return state.crtc[Crtc.OFFSET] * 2;
}

/** Calls `draw` for each of `height` scan lines with the counters at its start. */
export function scanLines(state: VgaState, height: number, draw: (y: number, line: ScanLine) => void): void {
  const { crtc } = state;
  const lastRowScan = crtc[Crtc.MAXIMUM_SCAN_LINE] & 0x1f;
  const double = (crtc[Crtc.MAXIMUM_SCAN_LINE] & CrtcBit.DOUBLE_SCAN) !== 0;
  const compare = lineCompare(crtc), offset = rowOffset(state);
  const bytePan = (crtc[Crtc.PRESET_ROW_SCAN] >> 5) & 3;
  const line: ScanLine = {
    address: startAddress(state) + bytePan,
    rowScan: crtc[Crtc.PRESET_ROW_SCAN] & 0x1f,
    split: false,
  };
  for (let y = 0, second = false; y < height; y++) {
    draw(y, line);
    if (y === compare) {
      line.address = 0;
      line.rowScan = 0;
      line.split = true;
      second = false;
      continue;
    }
    if (double) {
      second = !second;
      if (second) continue;
    }
    if (line.rowScan === lastRowScan) {
      line.rowScan = 0;
      line.address += offset;
    } else {
      line.rowScan = (line.rowScan + 1) & 0x1f;
    }
  }
}

/** The cell of video memory that the CRT controller addresses with counter `address` at row scan `rowScan`. */
export function cellAddress(state: VgaState, address: number, rowScan: number): number {
  const control = state.crtc[Crtc.MODE_CONTROL];
  let cell = address;
  // Double words address every fourth byte of a plane; chain-4 is squeezed alike, so both count cells here.
  if ((state.crtc[Crtc.UNDERLINE_LOCATION] & CrtcBit.DOUBLE_WORD) === 0 && (control & CrtcBit.BYTE_MODE) === 0) {
    const wrap = (control & CrtcBit.WRAP_15) !== 0 ? 15 : 13;
    cell = address << 1 | (address >> wrap) & 1;
  }
  if ((control & CrtcBit.MAP_13) === 0) cell = cell & ~0x2000 | (rowScan & 1) << 13;
  if ((control & CrtcBit.MAP_14) === 0) cell = cell & ~0x4000 | (rowScan & 2) << 13;
  return cell & 0xffff;
}
