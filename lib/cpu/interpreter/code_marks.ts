/** Marks the bytes that belong to code, so that writes to data beside code cost little. */
import { PAGE_SIZE } from "../../machine/memory.ts";
import { CODE_MARKS } from "./layout.ts";

/** For each frame that holds code: which of its bytes do. */
export class CodeMarks {
  readonly #state: Uint8Array;
  /** By frame: 1 for each byte that belongs to code. */
  readonly #byFrame: (Uint8Array | undefined)[] = [];
  /** Numbers of {@link CODE_MARKS} entries that are free. */
  readonly #free: number[] = Array.from({ length: CODE_MARKS.FRAMES }, (_, i) => i);

  constructor(state: WebAssembly.Memory) {
    this.#state = new Uint8Array(state.buffer);
  }

  /** The frames that hold code. */
  get frames(): number[] {
    const frames: number[] = [];
    this.#byFrame.forEach((bytes, frame) => bytes && frames.push(frame));
    return frames;
  }

  /** Address in state memory of the marks of a frame, 0 if compiled code cannot look at them. */
  address(frame: number): number {
    const bytes = this.#byFrame[frame];
    return bytes !== undefined && bytes.buffer === this.#state.buffer ? bytes.byteOffset : 0;
  }

  /** True if one of `length` bytes of a frame from `offset` is marked. */
  holds(frame: number, offset: number, length: number): boolean {
    const bytes = this.#byFrame[frame];
    if (bytes === undefined) return false;
    for (let i = offset; i < offset + length; i++) if (bytes[i] !== 0) return true;
    return false;
  }

  /** Marks the bytes of a frame from `start` to before `end`. */
  mark(frame: number, start: number, end: number): void {
    const bytes = this.#byFrame[frame] ??= this.#newMarks();
    bytes.fill(1, start, end);
  }

  /** Takes the marks of bytes of a frame away, from `start` to before `end`. */
  unmark(frame: number, start: number, end: number): void {
    this.#byFrame[frame]?.fill(0, start, end);
  }

  /** Takes all marks of a frame away; it stays among the {@link frames}. */
  wipe(frame: number): void {
    this.#byFrame[frame]?.fill(0);
  }

  /** A frame holds no code any more. */
  release(frame: number): void {
    const address = this.address(frame);
    if (address !== 0) this.#free.push((address - CODE_MARKS.BASE) / PAGE_SIZE);
    this.#byFrame[frame] = undefined;
  }

  /** Marks in state memory, where compiled code can look at them; when those are used up, others. */
  #newMarks(): Uint8Array {
    const index = this.#free.pop();
    if (index === undefined) return new Uint8Array(PAGE_SIZE);
    const at = CODE_MARKS.BASE + index * PAGE_SIZE;
    return this.#state.subarray(at, at + PAGE_SIZE).fill(0);
  }
}
