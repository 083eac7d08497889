/**
 * The built-in BIOS: ROM images whose stubs trap into the services of this folder. As a device its state is what the
 * services keep besides the BIOS data area; everything else lies in guest memory, where programs expect it.
 */
import type { Device, PortSpace } from "../machine/types.ts";
import type { PhysicalMemory } from "../machine/memory.ts";
import { type AcpiTables, acpiTables } from "./acpi.ts";
import { ApmServices } from "./apm.ts";
import { Bda } from "./bda.ts";
import { BootServices } from "./boot.ts";
import { Call, Return } from "./call.ts";
import { Cmos, CmosReg } from "./cmos.ts";
import { Drives } from "./drives.ts";
import { KeyboardServices } from "./keyboard.ts";
import { LinearMemory } from "./linear_memory.ts";
import { type InitialState, type KernelImage, loadKernel } from "./loaders/mod.ts";
import { acpiBase, memoryMap } from "./memory_map.ts";
import { MouseServices } from "./mouse.ts";
import { nextOptionRom, startOptionRomScan } from "./option_roms.ts";
import { PciConfig } from "./pci_config.ts";
import { PciServices } from "./pci_bios.ts";
import { powerOn } from "./post.ts";
import { PortServices } from "./serial_printer.ts";
import { romTables, ROOT_POINTER } from "./rom_tables.ts";
import { buildSystemRom, SYSTEM_ROM, type SystemRom } from "./system_rom.ts";
import { SystemServices } from "./system.ts";
import { TimeServices } from "./time.ts";
import { Service, TRAP_PORT } from "./traps.ts";
import { buildVideoRom, VIDEO_ROM, type VideoRom } from "./vga_rom.ts";
import { FONTS } from "./fonts.ts";
import { VideoServices } from "./video.ts";
import { VideoScreen } from "./video_screen.ts";
import type { BiosWires } from "./wires.ts";

/** Edge/level control registers of the interrupt controllers. Intel 82371SB data sheet, section 2.5.8. */
const ELCR = 0x4d0;
/** The interrupt line of ACPI events, as the FADT says. */
const SCI_IRQ = 9;

/** A ROM that {@link Bios.install} has put into the linear memory: what it covers and where its bytes are. */
export interface InstalledRom {
  /** First physical address. */
  readonly address: number;
  readonly size: number;
  /** Byte offset of the contents in the linear memory. */
  readonly offset: number;
}

type BiosState = {
  waitUntil: number;
  portDeadline: number;
  apmConnection: number;
  apmIdle: boolean;
  vbeMode: number;
  bootTried: number;
  bootFailed: boolean;
  nextOptionRom: number;
  bootCd: number;
  emulating: boolean;
  locks: number[];
  mouseSend: number[];
  mouseExpected: number;
  mouseAnswer: number[];
  mouseDeadline: number;
};

function initialState(): BiosState {
  return {
    waitUntil: 0,
    portDeadline: 0,
    apmConnection: 0,
    apmIdle: false,
    vbeMode: 0,
    bootTried: 0,
    bootFailed: false,
    nextOptionRom: 0,
    bootCd: -1,
    emulating: false,
    locks: [0, 0, 0, 0],
    mouseSend: [],
    mouseExpected: 0,
    mouseAnswer: [],
    mouseDeadline: 0,
  };
}

/** What POST did, and where the ROM code continues. */
const Shutdown = { RESUME_WITH_EOI: 0x05, RESUME: 0x0a } as const;

/** The BIOS. */
export class Bios implements Device {
  readonly name = "bios";
  readonly version = 1;
  readonly state: BiosState = initialState();
  /** The ROM images, for who maps them by other means than {@link install}. */
  readonly systemRom: SystemRom;
  readonly videoRom: VideoRom;

  readonly #wires: BiosWires;
  /** What POST writes to RAM; null if there is too little. */
  readonly #acpi: AcpiTables | null;
  readonly #memory: LinearMemory;
  readonly #call: Call;
  readonly #screen: VideoScreen;
  readonly #time: TimeServices;
  readonly #drives: Drives;
  readonly #video: VideoServices;
  /** Services of stubs that end in IRET, and of those that return otherwise. */
  readonly #interrupts: ReadonlyMap<number, (call: Call) => void>;
  readonly #others: ReadonlyMap<number, (call: Call) => void>;

  constructor(wires: BiosWires) {
    this.#wires = wires;
    const { ports, clock, cpu } = wires, { state } = this, base = acpiBase(wires.ram);
    const board = { hasFloppy: wires.floppies.length > 0, hasApic: wires.apic !== null };
    this.#acpi = base === null ? null : acpiTables(base, board);
    this.videoRom = buildVideoRom(FONTS);
    this.systemRom = buildSystemRom(FONTS[8], romTables(wires.ram, this.#acpi?.root ?? null, wires.apic));
    this.#memory = new LinearMemory(wires.memory, cpu);
    this.#call = new Call(cpu, this.#memory);
    this.#screen = new VideoScreen(this.#memory, ports);
    this.#time = new TimeServices(ports);
    this.#drives = new Drives(wires, state);
    this.#video = new VideoServices(this.#screen, FONTS, this.videoRom, state);
    const keyboard = new KeyboardServices(this.#memory, ports);
    const mouse = new MouseServices(this.#memory, ports, clock, state);
    const apm = new ApmServices(ports, state, {
      apm16: this.systemRom.offsetOf("apm16"),
      apm32: this.systemRom.offsetOf("apm32"),
    });
    const pci = new PciServices(new PciConfig(ports));
    const system = new SystemServices(
      wires.ram,
      ports,
      clock,
      state,
      this.#time,
      apm,
      mouse,
      this.systemRom.offsetOf("enterProtectedMode"),
    );
    const port = new PortServices(ports, clock, state);
    const boot = new BootServices(wires, state, this.#drives, this.#video, keyboard);
    this.#interrupts = new Map<number, (call: Call) => void>([
      [Service.PRINT_SCREEN, (call) => port.printScreen(call, () => this.#screen.textLines())],
      [Service.FLOPPY_IRQ, (call) => this.#floppyIrq(call)],
      [Service.VIDEO, (call) => this.#video.handle(call)],
      [Service.EQUIPMENT, (call) => call.ax = this.#memory.read16(Bda.EQUIPMENT)],
      [Service.MEMORY_SIZE, (call) => call.ax = this.#memory.read16(Bda.MEMORY_SIZE)],
      [Service.DISK, (call) => this.#drives.handle(call)],
      [Service.FLOPPY, (call) => this.#drives.handleFloppy(call)],
      [Service.SERIAL, (call) => port.serial(call)],
      [Service.SYSTEM, (call) => system.handle(call)],
      [Service.KEYBOARD, (call) => keyboard.handle(call)],
      [Service.PRINTER, (call) => port.printer(call)],
      [Service.NO_BOOT, (call) => boot.giveUp(call)],
      [Service.BOOT, (call) => boot.boot(call)],
      [Service.TIME, (call) => call.ah === 0xb1 ? pci.handle(call, false) : this.#time.handle(call)],
      [Service.SPURIOUS_IRQ, () => this.#spuriousIrq()],
      [Service.IDE_IRQ, (call) => this.#ideIrq(call)],
    ]);
    this.#others = new Map<number, (call: Call) => void>([
      [Service.TICK, (call) => this.#time.tick(call)],
      [Service.KEYBOARD_IRQ, (call) => keyboard.scanCode(call)],
      [Service.PAUSED, (call) => call.carry = keyboard.paused],
      [Service.RTC_IRQ, (call) => this.#time.rtcInterrupt(call)],
      [Service.MOUSE_IRQ, (call) => mouse.interrupt(call)],
      [Service.POST, (call) => this.#powerOn(call)],
      [Service.OPTION_ROM, (call) => nextOptionRom(call, state)],
      [Service.BIOS32, (call) => this.#bios32(call)],
      [Service.PCI32, (call) => pci.handle(call, true)],
      [Service.APM_PROTECTED, (call) => apm.handle(call, true)],
    ]);
  }

  /** Claims the trap port. */
  attach(ports: PortSpace): void {
    ports.claim(TRAP_PORT, 1, { read: () => 0xff, write: () => this.#trap() });
  }

  /**
   * Puts the ROM images into the linear memory and maps them: the video ROM at C0000, the system ROM at F0000 and at the
   * top of 4 GiB. Returns where they are, so that the host bridge can put them back after shadowing.
   */
  install(memory: PhysicalMemory): InstalledRom[] {
    const roms = [[VIDEO_ROM.ADDRESS, this.videoRom.image], [SYSTEM_ROM.ADDRESS, this.systemRom.image]] as const;
    return roms.map(([address, image]) => {
      const { offset, size } = memory.allocate(image.length);
      memory.bytes.set(image, offset);
      memory.mapRom(address, size, offset);
      if (address === SYSTEM_ROM.ADDRESS) memory.mapRom(2 ** 32 - size, size, offset);
      return { address, size, offset };
    });
  }

  reset(): void {
    Object.assign(this.state, initialState(), { locks: this.state.locks });
    this.state.locks.fill(0);
    this.#drives.restored();
  }

  restored(): void {
    this.#drives.restored();
  }

  /**
   * What POST does, without booting: for kernels that are loaded directly. Programs the chips, sets text mode 3, and
   * writes interrupt vectors, BIOS data area and tables.
   */
  initialize(): void {
    powerOn(this.#wires, this.#memory, this.systemRom, this.#time, this.#drives.disks);
    for (const floppy of this.#wires.floppies) floppy.changed = false;
    for (const { address, bytes } of this.#acpi?.tables ?? []) this.#wires.memory.write(address, bytes);
    this.#video.setMode(0x03);
  }

  /**
   * Initialises the machine and loads a kernel into it; returns the state in which the processor has to start it.
   *
   * @param oldProcessor the processor may lack what the kernel needs, so that the kernel should look.
   * @throws KernelError if the file is no kernel, is damaged, or does not fit into memory.
   */
  loadKernel(kernel: KernelImage, oldProcessor: boolean): InitialState {
    this.initialize();
    const { ram, memory, ports } = this.#wires;
    // A kernel routes PCI interrupts itself. Of the level-triggered lines it expects the ACPI interrupt alone.
    ports.write(ELCR, 0, 1);
    ports.write(ELCR + 1, 1 << (SCI_IRQ - 8), 1);
    const rsdp = this.#acpi === null ? 0 : SYSTEM_ROM.ADDRESS + this.systemRom.offsetOf(ROOT_POINTER);
    return loadKernel({ memory, map: memoryMap(ram), rsdp, oldProcessor }, kernel);
  }

  /** A stub has written to the trap port: the service's number is on top of the stack. */
  #trap(): void {
    const call = this.#call;
    const number = this.#memory.read16(call.stackTop);
    const interrupt = this.#interrupts.get(number), other = this.#others.get(number);
    const service = interrupt ?? other;
    if (service === undefined) return;
    call.moveStack(2);
    call.begin(interrupt !== undefined ? Return.INTERRUPT : Return.NEAR);
    service(call);
  }

  /** Reset: resumes a program that has only left protected mode this way, or starts the machine. */
  #powerOn(call: Call): void {
    const cmos = new Cmos(this.#wires.ports);
    const code = cmos.read(CmosReg.SHUTDOWN);
    cmos.write(CmosReg.SHUTDOWN, 0);
    if (code === Shutdown.RESUME_WITH_EOI || code === Shutdown.RESUME) {
      if (code === Shutdown.RESUME_WITH_EOI) this.#endOfInterrupt(0xa0, 0x20);
      call.carry = true;
      return;
    }
    call.carry = false;
    this.initialize();
    startOptionRomScan(this.state);
    this.#video.print("Bootwright BIOS\n\n");
  }

  #endOfInterrupt(...ports: number[]): void {
    for (const port of ports) this.#wires.ports.write(port, 0x20, 1);
  }

  #floppyIrq(call: Call): void {
    call.memory.write8(Bda.FLOPPY_RECALIBRATE, call.memory.read8(Bda.FLOPPY_RECALIBRATE) | 0x80);
    this.#endOfInterrupt(0x20);
  }

  #ideIrq(call: Call): void {
    call.memory.write8(Bda.DISK_INTERRUPT, 0xff);
    this.#endOfInterrupt(0xa0, 0x20);
  }

  /** An IRQ that nobody has claimed: ends it where it is in service; a spurious one is not. */
  #spuriousIrq(): void {
    const { ports } = this.#wires;
    const inService = (port: number) => {
      ports.write(port, 0x0b, 1);
      return ports.read(port, 1);
    };
    if (inService(0xa0) !== 0) this.#endOfInterrupt(0xa0);
    if (inService(0x20) !== 0) this.#endOfInterrupt(0x20);
  }

  /** BIOS32 service directory: EAX = "$PCI" gives base, length and entry of the PCI BIOS. */
  #bios32(call: Call): void {
    if (call.eax !== 0x49435024 || call.bl !== 0) {
      call.al = call.bl !== 0 ? 0x81 : 0x80;
      return;
    }
    call.al = 0;
    call.ebx = SYSTEM_ROM.ADDRESS;
    call.ecx = SYSTEM_ROM.SIZE;
    call.edx = this.systemRom.offsetOf("pci32");
  }
}
