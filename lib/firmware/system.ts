/** INT 15h: memory size and map, block move, waits, A20, configuration. Sources: IBM BIOS interface technical reference, "System services"; ACPI 2.0, chapter 14 (E820h). */
import type { Clock } from "../machine/types.ts";
import type { ApmServices } from "./apm.ts";
import { Bda, Ebda } from "./bda.ts";
import type { Call } from "./call.ts";
import { memoryMap, type MemoryRange, type RamSizes, usableLow } from "./memory_map.ts";
import type { MouseServices } from "./mouse.ts";
import { Entry, SYSTEM_ROM } from "./system_rom.ts";
import type { TimeServices } from "./time.ts";
import type { BiosPorts } from "./wires.ts";

const MIB = 0x100000;
const SMAP = 0x534d4150;

/** The part of the BIOS's state that INT 15h keeps. */
export interface SystemState {
  /** Guest time at which the running AH=86h wait ends; 0 if none runs. */
  waitUntil: number;
}

/** INT 15h. */
export class SystemServices {
  readonly #map: readonly MemoryRange[];

  constructor(
    private readonly ram: RamSizes,
    private readonly ports: BiosPorts,
    private readonly clock: Clock,
    private readonly state: SystemState,
    private readonly time: TimeServices,
    private readonly apm: ApmServices,
    private readonly mouse: MouseServices,
    private readonly protectedModeEntry: number,
  ) {
    this.#map = memoryMap(ram);
  }

  /** INT 15h. */
  handle(call: Call): void {
    switch (call.ah) {
      case 0x24:
        this.#a20(call);
        return;
      case 0x4f:
        // No translation: the scan code in AL is to be processed.
        call.carry = true;
        return;
      case 0x52:
      case 0x80:
      case 0x81:
      case 0x82:
      case 0x85:
      case 0x90:
      case 0x91:
        call.succeed();
        return;
      case 0x53:
        this.apm.handle(call, false);
        return;
      case 0x83:
        this.#eventWait(call);
        return;
      case 0x86:
        this.#wait(call);
        return;
      case 0x87:
        this.#blockMove(call);
        return;
      case 0x88:
        // Up to 63 MiB, in KiB: more would be taken for a hole by old programs.
        call.ax = Math.min(0xfc00, (usableLow(this.ram) - MIB) / 1024);
        call.carry = false;
        return;
      case 0x89:
        this.#enterProtectedMode(call);
        return;
      case 0xc0:
        call.es = SYSTEM_ROM.SEGMENT;
        call.bx = Entry.CONFIGURATION_TABLE;
        call.succeed();
        return;
      case 0xc1:
        call.es = Ebda.SEGMENT;
        call.carry = false;
        return;
      case 0xc2:
        this.mouse.handle(call);
        return;
      case 0xe8:
        this.#bigMemory(call);
        return;
      default:
        call.fail(0x86);
    }
  }

  #a20(call: Call): void {
    const value = this.ports.read(0x92, 1);
    switch (call.al) {
      case 0x00:
        this.ports.write(0x92, value & ~0x03, 1);
        break;
      case 0x01:
        this.ports.write(0x92, (value | 0x02) & ~0x01, 1);
        break;
      case 0x02:
        call.al = (value >> 1) & 1;
        break;
      case 0x03:
        // Both the keyboard controller and port 92h work.
        call.bx = 3;
        break;
      default:
        call.fail(0x86);
        return;
    }
    call.succeed();
  }

  #eventWait(call: Call): void {
    const { memory } = call;
    if (call.al === 1) {
      memory.write8(Bda.WAIT_ACTIVE, 0);
      this.time.stopPeriodic();
      call.succeed();
      return;
    }
    if ((memory.read8(Bda.WAIT_ACTIVE) & 1) !== 0) {
      call.fail(0x83);
      return;
    }
    memory.write16(Bda.WAIT_POINTER, call.bx);
    memory.write16(Bda.WAIT_POINTER + 2, call.es);
    memory.write32(Bda.WAIT_COUNT, call.cx * 65536 + call.dx);
    memory.write8(Bda.WAIT_ACTIVE, 1);
    this.time.startPeriodic();
    call.succeed();
  }

  /** AH=86h: the stub halts until the next interrupt; the RTC's periodic one makes sure that it comes soon. */
  #wait(call: Call): void {
    const { state, clock } = this;
    if (state.waitUntil === 0) {
      state.waitUntil = clock.now + (call.cx * 65536 + call.dx) * 1000;
      this.time.startPeriodic();
    }
    if (clock.now < state.waitUntil) {
      call.wait();
      return;
    }
    state.waitUntil = 0;
    if ((call.memory.read8(Bda.WAIT_ACTIVE) & 1) === 0) this.time.stopPeriodic();
    call.succeed();
  }

  #blockMove(call: Call): void {
    const { memory } = call;
    const table = call.atEs(call.si);
    const base = (at: number) =>
      memory.read16(at + 2) + memory.read8(at + 4) * 0x10000 + memory.read8(at + 7) * 0x100_0000;
    const source = base(table + 0x10), target = base(table + 0x18);
    // Addresses above 1 MiB are meant as they are, whatever the A20 gate says.
    const bytes = new Uint8Array(Math.min(call.cx, 0x8000) * 2);
    memory.physical.read(source, bytes);
    memory.physical.write(target, bytes);
    call.succeed();
  }

  /** AH=89h: moves the interrupt controllers to BH and BL, completes the table at ES:SI, and leaves the rest to ROM code. */
  #enterProtectedMode(call: Call): void {
    const { ports } = this, { memory } = call;
    ports.write(0x92, ports.read(0x92, 1) | 0x02, 1);
    for (const [port, base, cascade] of [[0x20, call.bh, 0x04], [0xa0, call.bl, 0x02]]) {
      ports.write(port, 0x11, 1);
      for (const value of [base, cascade, 0x01, 0xff]) ports.write(port + 1, value, 1);
    }
    // The descriptor of the BIOS's own code.
    memory.write(call.atEs(call.si + 0x38), Uint8Array.of(0xff, 0xff, 0x00, 0x00, 0x0f, 0x9b, 0x00, 0x00));
    call.moveStack(-6);
    const frame = call.stackTop;
    memory.write16(frame, this.protectedModeEntry);
    memory.write16(frame + 2, SYSTEM_ROM.SEGMENT);
    memory.write16(frame + 4, 0x0002);
  }

  #bigMemory(call: Call): void {
    const above = usableLow(this.ram) - MIB;
    const below16 = Math.min(above, 15 * MIB);
    switch (call.al) {
      case 0x01:
        call.ax = call.cx = below16 / 1024;
        call.bx = call.dx = Math.max(0, above - 15 * MIB) / 65536;
        call.carry = false;
        return;
      case 0x20:
        this.#e820(call);
        return;
      case 0x81:
        call.eax = call.ecx = below16 / 1024;
        call.ebx = call.edx = Math.max(0, above - 15 * MIB) / 65536;
        call.carry = false;
        return;
      default:
        call.fail(0x86);
    }
  }

  #e820(call: Call): void {
    const range = this.#map[call.ebx];
    if (call.edx !== SMAP || call.ecx < 20 || range === undefined) {
      call.fail(0x86);
      return;
    }
    const { memory } = call, at = call.atEs(call.di);
    memory.write32(at, range.base >>> 0);
    memory.write32(at + 4, Math.floor(range.base / 2 ** 32));
    memory.write32(at + 8, range.length >>> 0);
    memory.write32(at + 12, Math.floor(range.length / 2 ** 32));
    memory.write32(at + 16, range.type);
    call.ebx = call.ebx + 1 < this.#map.length ? call.ebx + 1 : 0;
    call.eax = SMAP;
    call.ecx = 20;
    call.carry = false;
  }
}
