import { assert } from "@std/assert";
import { Machine } from "./machine.ts";
import type { Processor, ProcessorBus, RunResult } from "./processor.ts";
import type { AccessSize, BlockBackend } from "./types.ts";

/** Small, fast and the same everywhere: xorshift32. */
function random(seed: number): (below: number) => number {
  let x = seed;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

/** Executes nothing but accesses to ports and memory that a random generator makes up. */
class HostileProcessor implements Processor {
  instructions = 0;
  get cycles(): number {
    return this.instructions;
  }
  readonly halted = false;
  #line = false;
  #break = false;

  constructor(private readonly bus: ProcessorBus, private readonly next: (below: number) => number) {}

  run(budget: number): RunResult {
    this.#break = false;
    for (let i = 0; i < budget && !this.#break; i++, this.instructions++) {
      if (this.#line && this.next(4) === 0) this.bus.acknowledge();
      this.#access();
    }
    return "budget";
  }

  #access(): void {
    const { bus, next } = this;
    const size = ([1, 1, 1, 2, 4] as const)[next(5)];
    const port = this.#port(), value = next(2 ** (8 * size));
    switch (next(8)) {
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
    const { next } = this;
    const ranges = [[0, 0x100], [0x170, 8], [0x1ce, 3], [0x1f0, 8], [0x278, 0x200], [0x3f0, 16], [0x4d0, 2], [
      0xcf8,
      8,
    ]];
    ranges.push([0x510, 2], [0xafe0, 4], [0xb000, 64], [0xc000, 32], [0, 0x10000]);
    const [base, count] = ranges[next(ranges.length)];
    return base + next(count);
  }

  #address(): number {
    const { next } = this;
    return [next(0x100000), 0xa0000 + next(0x20000), 0xe0000000 + next(0x1000000), next(2 ** 32)][next(4)];
  }

  #configure(): void {
    const { bus, next } = this;
    const fn = [0, 0x800, 0x900, 0xb00, 0x1000][next(5)];
    bus.ioWrite(0xcf8, (0x80000000 + fn + 4 * next(64)) >>> 0, 4);
    bus.ioWrite(0xcfc, [0, 1, 7, 0xb001, 0xc001, 0xe0000000, 0xffffffff, next(2 ** 32)][next(8)], 4);
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

function disk(size: number): BlockBackend {
  const bytes = new Uint8Array(size);
  return {
    size,
    readOnly: false,
    read: (offset, target) => target.set(bytes.subarray(offset, offset + target.length)),
    write: (offset, source) => bytes.set(source, offset),
    flush: () => {},
  };
}

for (const seed of [1, 2, 3]) {
  Deno.test(`Machine survives a guest that does random things to its devices (seed ${seed})`, () => {
    const next = random(seed * 0x9e3779b1);
    const machine = new Machine({
      memory: 1 << 20,
      fda: disk(1440 * 1024),
      hda: disk(1 << 20),
      cdrom: disk(64 * 2048),
      rate: { ns: 1000, instructions: 1 },
    }, (bus) => new HostileProcessor(bus, next));
    for (let i = 0; i < 40; i++) {
      machine.run(2500);
      machine.keyboard.key(["KeyA", "Pause", "PrintScreen"][next(3)], next(2) === 1);
      machine.mouse.move(next(1000) - 500, next(1000) - 500, next(9) - 4);
      machine.mouse.button(next(6), next(2) === 1);
      machine.serials[next(2)].enqueue(Uint8Array.of(next(256)));
      machine.vga.textScreen();
      if (machine.exit !== null) machine.reset();
    }
    const hash = machine.hash(), saved = machine.save();
    machine.reset();
    machine.load(saved);
    assert(machine.hash() === hash, "restoring gives the same machine");
  });
}
