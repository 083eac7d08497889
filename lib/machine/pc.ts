/** The board: which chips there are, at which ports, on which lines. Intel 440FX with PIIX3, as QEMU's "pc" machine. */
import { I8237 } from "../devices/i8237.ts";
import { I8259 } from "../devices/i8259.ts";
import { PciBus } from "../devices/pci.ts";
import { MachineClock } from "./clock.ts";
import type { MachineConfig } from "./config.ts";
import type { MachineExit } from "./machine.ts";
import { PhysicalMemory } from "./memory.ts";
import { IoPorts } from "./ports.ts";
import type { Processor, ProcessorBus } from "./processor.ts";
import type { Device } from "./types.ts";

/** What the board tells the machine. */
export interface BoardEvents {
  exit(exit: MachineExit): void;
  /** The guest asked for a hardware reset. */
  reset(): void;
  /** The guest wrote a byte to the debug port. */
  debugByte(byte: number): void;
}

/** The PC's board with everything on it. */
export class Pc {
  readonly memory: PhysicalMemory;
  readonly ports: IoPorts = new IoPorts();
  readonly cpu: Processor;
  readonly clock: MachineClock;
  readonly pic: I8259;
  readonly dma: I8237;
  readonly pci: PciBus = new PciBus();
  /** Every device by its name, in the order in which they are reset. */
  readonly devices: Map<string, Device> = new Map();

  constructor(config: MachineConfig, createProcessor: (bus: ProcessorBus) => Processor, _events: BoardEvents) {
    this.memory = new PhysicalMemory({ ram: config.memory });
    this.pic = new I8259({ intr: (level) => this.cpu.setInterruptLine(level) });
    this.cpu = createProcessor({
      memory: this.memory,
      ioRead: (port, size) => this.ports.read(port, size),
      ioWrite: (port, value, size) => this.ports.write(port, value, size),
      acknowledge: () => this.pic.acknowledge(),
      timestamp: () => this.clock.now,
      floatingPointError: () => this.pic.line(13).set(true),
    });
    this.clock = new MachineClock(this.cpu, config.rate);
    this.dma = new I8237({ memory: this.memory });
    for (const device of [this.pic, this.dma, this.pci]) {
      device.attach(this.ports);
      this.devices.set(device.name, device);
    }
  }

  /** An interrupt request waits for the processor. */
  get interruptPending(): boolean {
    return this.pic.interruptPending;
  }

  /** Resets every device. */
  reset(): void {
    for (const device of this.devices.values()) device.reset();
  }

  /** Called after all device states were restored. */
  restored(): void {
    this.cpu.setInterruptLine(this.pic.interruptPending);
  }
}
