import { assert } from "@std/assert";
import { Random } from "../../scripts/lib/random.ts";
import { MemoryDisk } from "../disk/mod.ts";
import { Machine } from "./machine.ts";
import type { Processor, ProcessorBus, RunResult } from "./processor.ts";
import type { AccessSize } from "./types.ts";

/** Executes nothing but accesses to ports and memory that a random generator makes up. */
class HostileProcessor implements Processor {
  instructions = 0;
  get cycles(): number {
    return this.instructions;
  }
  readonly halted = false;
  #line = false;
  #break = false;

  constructor(private readonly bus: ProcessorBus, private readonly random: Random) {}

  run(budget: number): RunResult {
    this.#break = false;
    for (let i = 0; i < budget && !this.#break; i++, this.instructions++) {
      if (this.#line && this.random.below(4) === 0) this.bus.acknowledge();
      this.#access();
    }
    return "budget";
  }

  #access(): void {
    const { bus, random } = this;
    const size = ([1, 1, 1, 2, 4] as const)[random.below(5)];
    const port = this.#port(), value = random.below(2 ** (8 * size));
    switch (random.below(8)) {
      case 0:
        bus.memory.writeSized(this.#address(), value, size);
        break;
      case 1:
        bus.memory.readSized(this.#address(), size);
        break;
      case 2:
        this.#configure();
        break;
      case 3:
      case 4:
        assertWidth(bus.ioRead(port, size), size, port);
        break;
      default:
        bus.ioWrite(port, value, size);
    }
  }

  /** Mostly ports at which there is something. */
  #port(): number {
    const { random } = this;
    const ranges = [[0, 0x100], [0x170, 8], [0x1ce, 3], [0x1f0, 8], [0x278, 0x200], [0x3f0, 16], [0x4d0, 2], [
      0xcf8,
      8,
    ]];
    ranges.push([0x510, 2], [0xafe0, 4], [0xb000, 64], [0xc000, 32], [0, 0x10000]);
    const [base, count] = ranges[random.below(ranges.length)];
    return base + random.below(count);
  }

  #address(): number {
    const { random } = this;
    return [
      random.below(0x100000),
      0xa0000 + random.below(0x20000),
      0xe0000000 + random.below(0x1000000),
      random.below(2 ** 32),
    ][random.below(4)];
  }

  #configure(): void {
    const { bus, random } = this;
    const fn = [0, 0x800, 0x900, 0xb00, 0x1000][random.below(5)];
    bus.ioWrite(0xcf8, (0x80000000 + fn + 4 * random.below(64)) >>> 0, 4);
    bus.ioWrite(0xcfc, [0, 1, 7, 0xb001, 0xc001, 0xe0000000, 0xffffffff, random.below(2 ** 32)][random.below(8)], 4);
  }

  setInterruptLine(level: boolean): void {
    this.#line = level;
  }

  raiseNmi(): void {}

  setA20(): void {}

  requestBreak(): void {
    this.#break = true;
  }

  reset(): void {}

  save(): Record<string, unknown> {
    return {};
  }

  load(): void {}
}

function assertWidth(value: number, size: AccessSize, port: number): void {
  const fits = Number.isInteger(value) && value >= 0 && value < 2 ** (8 * size);
  assert(fits, `port 0x${port.toString(16)} gave ${value} to a read of ${size} bytes`);
}

for (const seed of [1, 2, 3]) {
  Deno.test(`Machine survives a guest that does random things to its devices (seed ${seed})`, () => {
    const random = new Random(seed);
    const machine = new Machine({
      memory: 1 << 20,
      fda: new MemoryDisk(new Uint8Array(1440 * 1024)),
      hda: new MemoryDisk(new Uint8Array(1 << 20)),
      cdrom: new MemoryDisk(new Uint8Array(64 * 2048)),
      rate: { ns: 1000, instructions: 1 },
    }, (bus) => new HostileProcessor(bus, random));
    for (let i = 0; i < 40; i++) {
      machine.run(2500);
      machine.keyboard.key(["KeyA", "Pause", "PrintScreen"][random.below(3)], random.below(2) === 1);
      machine.mouse.move(random.below(1000) - 500, random.below(1000) - 500, random.below(9) - 4);
      machine.mouse.button(random.below(6), random.below(2) === 1);
      machine.serials[random.below(2)].enqueue(Uint8Array.of(random.below(256)));
      machine.vga.textScreen();
      if (machine.exit !== null) machine.reset();
    }
    const hash = machine.hash(), saved = machine.save();
    machine.reset();
    machine.load(saved);
    assert(machine.hash() === hash, "restoring gives the same machine");
  });
}
