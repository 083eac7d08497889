/** Ports for tests: E9h, where Bochs and QEMU print what the guest writes, and F4h, QEMU's isa-debug-exit. */
import type { Device, PortSpace } from "../machine/types.ts";

/** What the debug ports are wired to. */
export interface DebugPortWires {
  /** A byte was written to port E9h. */
  print(byte: number): void;
  /** A value was written to port F4h. */
  exit(value: number): void;
}

/** The debug ports. */
export class DebugPorts implements Device {
  readonly name = "debug_ports";
  readonly version = 1;
  readonly state = {};
  readonly #wires: DebugPortWires;

  constructor(wires: DebugPortWires) {
    this.#wires = wires;
  }

  attach(ports: PortSpace): void {
    // Reading E9h from the port tells a guest that it is there.
    ports.claim(0xe9, 1, { read: () => 0xe9, write: (_, value) => this.#wires.print(value) });
    ports.claim(0xf4, 4, { read: () => 0, write: (_, value) => this.#wires.exit(value) }, 4);
  }

  reset(): void {}
}
