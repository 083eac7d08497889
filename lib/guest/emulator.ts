/**
 * The terminal emulator. It is loaded once a serial line has received something: loading it takes as long as a guest's
 * start.
 */
import type xterm from "@xterm/headless";

/** A terminal without a display. */
export type Emulator = InstanceType<typeof xterm.Terminal>;

let constructor: typeof xterm.Terminal | undefined;

/** Loads the emulator; undefined if it is there already. */
export function loadEmulator(): Promise<void> | undefined {
  return constructor === undefined ? load() : undefined;
}

async function load(): Promise<void> {
  const module = await import("@xterm/headless");
  constructor = module.default.Terminal;
}

/** A terminal of that size; undefined before {@link loadEmulator}. */
export function newEmulator(columns: number, rows: number): Emulator | undefined {
  return constructor && new constructor({ cols: columns, rows, allowProposedApi: true });
}
