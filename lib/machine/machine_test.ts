import { assert, assertEquals, assertThrows } from "@std/assert";
import type { MachineConfig } from "./config.ts";
import { Machine } from "./machine.ts";
import type { Processor, ProcessorBus, RunResult } from "./processor.ts";
import { StateError } from "./state.ts";

/** What an instruction of the {@link FakeProcessor} does; "halt" and "fault" are what they say. */
type Instruction = (bus: ProcessorBus) => void | "halt" | "fault";

/** Runs a list of instructions, then does nothing. An interrupt wakes it and acknowledges; so does nothing else. */
class FakeProcessor implements Processor {
  instructions = 0;
  get cycles(): number {
    return this.instructions;
  }
  halted = false;
  resets = 0;
  readonly vectors: number[] = [];
  interruptsEnabled = true;
  readonly #program: Instruction[];
  readonly #bus: ProcessorBus;
  #next = 0;
  #line = false;
  #break = false;

  constructor(bus: ProcessorBus, program: Instruction[]) {
    this.#bus = bus;
    this.#program = program;
  }

  run(budget: number): RunResult {
    this.#break = false;
    for (let i = 0; i < budget && !this.#break; i++) {
      if (this.#line && this.interruptsEnabled) {
        this.halted = false;
        this.vectors.push(this.#bus.acknowledge());
      }
      if (this.halted) return "halted";
      const result = this.#program[this.#next++]?.(this.#bus);
      this.instructions++;
      if (result === "fault") return "shutdown";
      if (result === "halt") this.halted = true;
    }
    return "budget";
  }

  setInterruptLine(level: boolean): void {
    this.#line = level;
  }

  raiseNmi(): void {}

  setA20(): void {}

  requestBreak(): void {
    this.#break = true;
  }

  reset(): void {
    this.halted = false;
    this.resets++;
    this.#next = 0;
  }

  save(): Record<string, unknown> {
    return { instructions: this.instructions, halted: this.halted, next: this.#next };
  }

  load(state: Record<string, unknown>): void {
    this.instructions = state.instructions as number;
    this.halted = state.halted as boolean;
    this.#next = state.next as number;
  }
}

function setUp(program: Instruction[], config: Partial<MachineConfig> = {}) {
  const machine = new Machine({ memory: 2 << 20, ...config }, (bus) => new FakeProcessor(bus, program));
  return { machine, cpu: machine.cpu as FakeProcessor };
}

function out(port: number, ...values: number[]): Instruction[] {
  return values.map((value) => (bus) => bus.ioWrite(port, value, 1));
}

/** Initialises the interrupt controllers and unmasks only `irq`, which must be below 8. */
function interrupts(irq: number): Instruction[] {
  return [...out(0x20, 0x11), ...out(0x21, 0x08, 0x04, 0x01, 0xff ^ (1 << irq))];
}

/** Timer channel 0 in mode 2 with a period of 1193 ticks: about 1 ms. */
const TIMER = [...out(0x43, 0x34), ...out(0x40, 0xa9, 0x04)];
const halt: Instruction = () => "halt";

Deno.test("Machine.run executes exactly the instructions asked for", () => {
  const { machine, cpu } = setUp([]);
  assertEquals(machine.run(1000), "instructions");
  assertEquals(cpu.instructions, 1000);
  assertEquals(machine.clock.now, 1000);
});

Deno.test("Machine.run stops at a time", () => {
  const { machine } = setUp([]);
  assertEquals(machine.run(Infinity, 5000), "time");
  assertEquals(machine.clock.now, 5000);
});

Deno.test("Machine.run lets time jump while the processor sleeps, and wakes it with the timer", () => {
  const { machine, cpu } = setUp([...interrupts(0), ...TIMER, halt]);
  assertEquals(machine.run(100), "instructions");
  assertEquals(cpu.vectors, [0x08]);
  assert(machine.clock.now > 999_000, `${machine.clock.now} ns`);
});

Deno.test("Machine.run delivers events at the same instruction however it is sliced", () => {
  const run = (slice: number) => {
    const { machine, cpu } = setUp([...interrupts(0), ...TIMER]);
    for (let left = 3_000_000; left > 0; left -= slice) machine.run(Math.min(left, slice));
    return { hash: machine.hash(), vectors: cpu.vectors };
  };
  const whole = run(3_000_000);
  assertEquals(whole.vectors, [0x08]); // nobody sends an end of interrupt
  for (const slice of [7, 1000, 999_999]) assertEquals(run(slice), whole);
});

Deno.test("Machine.run tells a processor that nothing can wake", () => {
  assertEquals(setUp([halt]).machine.run(100), "halted");
  const { machine, cpu } = setUp([...interrupts(0), ...TIMER, halt]);
  cpu.interruptsEnabled = false;
  assertEquals(machine.run(100), "halted");
  assertEquals(machine.run(100, machine.clock.now + 5000), "halted");
  assert(machine.clock.now >= 5000, "time passes up to the limit");
});

Deno.test("Machine.run gives the caller a turn while events pass that wake nobody", () => {
  const { machine } = setUp([...out(0x21, 0xff), ...TIMER, halt]);
  assertEquals(machine.run(100), "idle");
  const now = machine.clock.now;
  assertEquals(machine.run(100), "idle");
  assert(machine.clock.now > now);
  assertEquals(machine.run(100, machine.clock.now + 10_000), "time");
});

Deno.test("Machine.requestStop ends the run after the instruction that caused it", () => {
  const seen: number[] = [];
  const debug = { transmit: (byte: number) => (seen.push(byte), machine.requestStop()) };
  const { machine, cpu } = setUp([() => {}, ...out(0xe9, 0x41, 0x42)], { debug });
  assertEquals(machine.run(100), "requested");
  assertEquals([cpu.instructions, ...seen], [2, 0x41]);
  assertEquals(machine.run(100), "requested");
  assertEquals(machine.run(100), "instructions");
});

Deno.test("Machine ends with the debug-exit port's value and code", () => {
  const { machine, cpu } = setUp(out(0xf4, 0x10));
  assertEquals(machine.run(100), "debug-exit");
  assertEquals(machine.exit, { reason: "debug-exit", value: 0x10, code: 0x21 });
  assertEquals(machine.run(100), "debug-exit");
  assertEquals(cpu.instructions, 1);
  machine.reset();
  assertEquals(machine.exit, null);
});

Deno.test("Machine resets or stops on a triple fault and on a guest's reset, as configured", () => {
  const program = (first: Instruction): Instruction[] => {
    let done = false;
    return [(bus) => done ? undefined : (done = true, first(bus))];
  };
  const fault: Instruction = () => "fault", keyboard = out(0x64, 0xfe)[0];
  for (const cause of [fault, keyboard]) {
    const { machine, cpu } = setUp(program(cause));
    assertEquals(machine.run(10), "instructions");
    assertEquals(cpu.resets, 2);
  }
  assertEquals(setUp([fault], { onTripleFault: "stop" }).machine.run(10), "shutdown");
  assertEquals(setUp([keyboard], { onReset: "stop" }).machine.run(10), "reset");
  assertEquals(setUp(out(0xcf9, 0x02, 0x06), { onReset: "stop" }).machine.run(10), "reset");
  assertEquals(setUp(out(0x92, 0x03), { onReset: "stop" }).machine.run(10), "reset");
});

Deno.test("Machine powers off through the PIIX4's sleep register", () => {
  const pci = (address: number, value: number): Instruction[] => [
    (bus) => bus.ioWrite(0xcf8, (0x80000b00 | address) >>> 0, 4),
    (bus) => bus.ioWrite(0xcfc, value, 4),
  ];
  const program = [...pci(0x40, 0xb001), ...pci(0x80, 1), (bus: ProcessorBus) => bus.ioWrite(0xb004, 0x2000, 2)];
  const { machine } = setUp(program);
  assertEquals(machine.run(100), "power-off");
});

Deno.test("Machine.save and load give the same machine, in another one too", () => {
  const program = [...interrupts(0), ...TIMER, (bus: ProcessorBus) => bus.memory.write32(0x100000, 0x12345678)];
  const { machine } = setUp(program);
  machine.run(500_000);
  machine.keyboard.key("KeyA", true);
  machine.serials[0].enqueue(Uint8Array.of(1, 2, 3));
  const saved = machine.save(), hash = machine.hash();
  machine.run(2_000_000);
  const later = machine.hash();
  const { machine: other } = setUp(program);
  other.run(123);
  other.memory.write32(0x1000, 1);
  other.load(saved);
  assertEquals(other.hash(), hash);
  other.run(2_000_000);
  assertEquals(other.hash(), later);
  machine.load(saved);
  assertEquals(machine.hash(), hash);
});

Deno.test("Machine.load refuses what does not fit, and changes nothing", () => {
  const { machine } = setUp([]);
  machine.run(1000);
  const hash = machine.hash(), saved = machine.save();
  const refuse = (change: Partial<typeof saved>, message: string) => {
    assertThrows(() => machine.load({ ...saved, ...change }), StateError, message);
    assertEquals(machine.hash(), hash);
  };
  refuse({ version: 99 }, "format version 99");
  refuse({ config: { ...saved.config, memory: 1 } }, "config.memory");
  refuse({ devices: { ...saved.devices, floppy2: { version: 1, state: {} } } }, "no such device");
  const { i8254: _, ...rest } = saved.devices;
  refuse({ devices: rest }, "devices.i8254: missing");
  refuse({ devices: { ...saved.devices, i8254: { version: 1, state: { channels: 1 } } } }, "devices.i8254.channels");
  refuse({ clock: {} }, "clock.");
  refuse({ memory: { pages: Uint32Array.of(0xffffffff), data: new Uint8Array(4096) } }, "memory: page");
  refuse({ memory: { pages: Uint32Array.of(0), data: new Uint8Array(1) } }, "memory: 1 pages");
});

Deno.test("Machine refuses memory sizes that it cannot have", () => {
  for (const memory of [0, 1000, 1.5 * 2 ** 20, 2 ** 33, NaN]) {
    assertThrows(() => setUp([], { memory }), RangeError, "memory is a multiple");
  }
});
