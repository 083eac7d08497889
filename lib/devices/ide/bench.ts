/** A small board for the unit tests of this folder: clock, ports, memory and an IDE controller, without a processor. */
import { MachineClock } from "../../machine/clock.ts";
import { PhysicalMemory } from "../../machine/memory.ts";
import { IoPorts } from "../../machine/ports.ts";
import type { AccessSize } from "../../machine/types.ts";
import { type IdeAttachment, PiixIde } from "./piix_ide.ts";
import { Status } from "./registers.ts";

/** Port of the primary channel's bus master, as the bench maps it. */
export const BUS_MASTER = 0xc000;

/** An IDE controller on a bench. Channel 0 is at 1F0h/3F6h, its bus master at C000h. */
export class IdeBench {
  readonly counter = { cycles: 0, requestBreak: () => {} };
  readonly clock = new MachineClock(this.counter);
  readonly ports = new IoPorts();
  readonly memory = new PhysicalMemory({ ram: 0x10_0000, extra: 0 });
  readonly irq = [false, false];
  /** Rising edges seen on IRQ 14 and 15. */
  readonly edges = [0, 0];
  readonly ide: PiixIde;

  constructor(...attachments: (IdeAttachment | null)[]) {
    this.memory.mapRam(0, 0x10_0000, 0);
    const line = (index: number) => ({
      set: (level: boolean) => {
        if (level && !this.irq[index]) this.edges[index]++;
        this.irq[index] = level;
      },
    });
    this.ide = new PiixIde({ clock: this.clock, memory: this.memory, irq: [line(0), line(1)], attachments });
    this.ide.attach(this.ports);
    this.ide.pci.write(0x20, BUS_MASTER, 4);
    this.ide.pci.write(4, 5, 2);
  }

  in(port: number, size: AccessSize = 1): number {
    return this.ports.read(port, size);
  }

  out(port: number, value: number, size: AccessSize = 1): void {
    this.ports.write(port, value, size);
  }

  /** Lets all pending events happen, one after the other. */
  settle(): void {
    for (let limit = 0; limit < 10_000 && this.clock.nextDue < Infinity; limit++) this.step();
  }

  /** Lets the next pending event happen. */
  step(): void {
    this.clock.skipTo(this.clock.nextDue);
    const due = this.clock.takeDue();
    if (due) this.ide.event(due.event);
  }

  /** Selects a drive and writes the registers 1–5 and the command; `registers` are features, count, LBA low, mid, high. */
  command(code: number, registers: number[] = [], device = 0xe0): void {
    this.out(0x1f6, device);
    registers.forEach((value, i) => this.out(0x1f1 + i, value));
    this.out(0x1f7, code);
  }

  /** Waits for the end of the command or its data and returns the status (which withdraws the interrupt). */
  wait(): number {
    for (let limit = 0; limit < 10_000 && (this.in(0x3f6) & Status.BSY) !== 0; limit++) this.step();
    return this.in(0x1f7);
  }

  /** Reads `length` bytes through the data port, waiting for each block. */
  readData(length: number, size: AccessSize = 2): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i += size) {
      if ((this.in(0x3f6) & Status.BSY) !== 0) this.wait();
      const value = this.in(0x1f0, size);
      for (let j = 0; j < size && i + j < length; j++) bytes[i + j] = value >>> 8 * j;
    }
    return bytes;
  }

  /** Writes `bytes` through the data port, waiting for each block. */
  writeData(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i += 2) {
      if ((this.in(0x3f6) & Status.BSY) !== 0) this.wait();
      this.out(0x1f0, bytes[i] | bytes[i + 1] << 8, 2);
    }
  }

  /** Executes a 12-byte packet by PIO and returns its data, or the error register as a number. */
  packet(bytes: number[], limit = 0xfffe, device = 0xa0): Uint8Array | number {
    this.command(0xa0, [0, 0, 0, limit & 0xff, limit >> 8], device);
    this.writeData(Uint8Array.from({ length: 12 }, (_, i) => bytes[i] ?? 0));
    const data: number[] = [];
    for (let status = this.wait(); status & Status.DRQ; status = this.wait()) {
      data.push(...this.readData(this.in(0x1f4) | this.in(0x1f5) << 8));
    }
    return this.in(0x3f6) & Status.ERR ? this.in(0x1f1) : Uint8Array.from(data);
  }

  /** Writes a descriptor table at 8000h, starts the primary bus master and lets things happen. */
  busMaster(regions: [address: number, length: number][], toMemory: boolean): void {
    regions.forEach(([address, length], i) => {
      this.memory.write32(0x8000 + 8 * i, address);
      this.memory.write32(0x8004 + 8 * i, (length & 0xffff | (i === regions.length - 1 ? 0x8000_0000 : 0)) >>> 0);
    });
    this.out(BUS_MASTER, 0);
    this.out(BUS_MASTER + 2, 6);
    this.out(BUS_MASTER + 4, 0x8000, 4);
    this.out(BUS_MASTER, toMemory ? 9 : 1);
    this.settle();
  }
}

/** `length` bytes that differ from sector to sector and within a sector. */
export function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i * 7 + (i >> 9) * 31 + (i >> 8) & 0xff);
}
