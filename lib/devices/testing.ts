/** What unit tests put around a device: ports, a clock that is moved by hand, and lines that remember. */
import { MachineClock } from "../machine/clock.ts";
import { IoPorts } from "../machine/ports.ts";
import type { Device, IrqLine } from "../machine/types.ts";

/** Ports and a clock; events reach the devices that were added. */
export class TestBench {
  readonly ports: IoPorts = new IoPorts();
  readonly clock: MachineClock;
  readonly #counter = { cycles: 0, requestBreak: () => {} };
  readonly #devices = new Map<string, Device>();

  constructor() {
    this.clock = new MachineClock(this.#counter);
  }

  /** Lets `device` receive its clock events, and resets it. */
  add<T extends Device>(device: T): T {
    this.#devices.set(device.name, device);
    device.reset();
    return device;
  }

  /** Moves time by `ns` ns, with all events on the way. */
  advance(ns: number): void {
    const end = this.clock.now + ns;
    while (this.clock.nextDue <= end) {
      this.clock.skipTo(this.clock.nextDue);
      for (let due = this.clock.takeDue(); due !== undefined; due = this.clock.takeDue()) {
        this.#devices.get(due.device)?.event?.(due.event, due.argument);
      }
    }
    this.clock.skipTo(end);
  }

  /** Reads a byte from `port`. */
  in(port: number): number {
    return this.ports.read(port, 1);
  }

  /** Writes bytes to `port`, one after the other. */
  out(port: number, ...values: number[]): void {
    for (const value of values) this.ports.write(port, value, 1);
  }
}

/** A line that remembers its level and counts rising edges. */
export class TestLine implements IrqLine {
  level = false;
  edges = 0;

  set(level: boolean): void {
    if (level && !this.level) this.edges++;
    this.level = level;
  }
}
