/** The board: which chips there are, at which ports, on which lines. Intel 440FX with PIIX3, as QEMU's "pc" machine. */
import { GUEST_BASE, PROCESSOR_FRONT } from "../cpu/interpreter/layout.ts";
import { DebugPorts } from "../devices/debug_ports.ts";
import { e820Entry, FwCfg } from "../devices/fw_cfg.ts";
import { I440fx, type ShadowedRom } from "../devices/i440fx.ts";
import { I8042 } from "../devices/i8042.ts";
import { cmosDriveType, I82077aa } from "../devices/i82077aa.ts";
import { I8237 } from "../devices/i8237.ts";
import { I8254 } from "../devices/i8254.ts";
import { I8259 } from "../devices/i8259.ts";
import { type IdeAttachment, PiixIde } from "../devices/ide/mod.ts";
import { Mc146818 } from "../devices/mc146818.ts";
import { IoApic } from "../devices/io_apic.ts";
import { LocalApic } from "../devices/local_apic.ts";
import { Ns16550 } from "../devices/ns16550.ts";
import { ParallelPort } from "../devices/parallel.ts";
import { PciBus } from "../devices/pci.ts";
import { Piix3Isa } from "../devices/piix3_isa.ts";
import { Piix4Pm } from "../devices/piix4_pm.ts";
import { Ps2Keyboard } from "../devices/ps2_keyboard.ts";
import { Ps2Mouse } from "../devices/ps2_mouse.ts";
import { DEFAULT_VRAM_SIZE, Vga } from "../devices/vga/mod.ts";
import { Cpu } from "../cpu/cpu.ts";
import { defaultCpuModel, hasFeature, hasLongMode } from "../cpu/system/model.ts";
import { identify } from "../cpu/system/cpuid.ts";
import { IO_APIC } from "../firmware/apics.ts";
import { Bios } from "../firmware/bios.ts";
import { applyInitialState } from "../firmware/loaders/mod.ts";
import { CoreAccess } from "../firmware/core_access.ts";
import type { BiosFloppy } from "../firmware/wires.ts";
import { MachineClock } from "./clock.ts";
import { bootOrder, cmosContents } from "./cmos.ts";
import { DEFAULT_START_TIME, type KernelConfig, type MachineConfig } from "./config.ts";
import type { MachineExit } from "./machine.ts";
import { PAGE_SIZE, PageKind, PhysicalMemory } from "./memory.ts";
import { IoPorts } from "./ports.ts";
import type { Processor, ProcessorBus } from "./processor.ts";
import type { BlockBackend, Device } from "./types.ts";

const MIB = 1024 * 1024;
const FOUR_GIB = 4096 * MIB;
/** Where the PCI window begins: RAM beyond continues above 4 GiB. */
const LOW_RAM_END = 0xe0000000;
/** The end of a BIOS ROM that is also seen below 1 MiB. */
const BIOS_WINDOW = 128 * 1024;

/** Sources that share an input of the interrupt controllers. */
const Source = { ISA: 0, PCI: 1, SCI: 2 };

/** What the board tells the machine. */
export interface BoardEvents {
  /** The machine has come to its end. */
  exit(exit: MachineExit): void;
  /** The guest asked for a hardware reset. */
  reset(): void;
  /** The guest wrote a byte to the debug port. */
  debugByte(byte: number): void;
}

/** The PC's board with everything on it. */
export class Pc {
  /** Guest-physical memory and its map. */
  readonly memory: PhysicalMemory;
  /** The I/O ports. */
  readonly ports: IoPorts = new IoPorts();
  /** The processor. */
  readonly cpu: Processor;
  /** Guest time. */
  readonly clock: MachineClock;
  /** RAM in bytes, from 0 up, and from 4 GiB up. */
  readonly ram: { readonly low: number; readonly high: number };
  /** Interrupt controllers. */
  readonly pic: I8259;
  /** The processor's local APIC; null if its model has none. */
  readonly localApic: LocalApic | null;
  /** The I/O APIC; null without a local APIC. */
  readonly ioApic: IoApic | null;
  /** Interval timer. */
  readonly pit: I8254;
  /** DMA controllers. */
  readonly dma: I8237;
  /** Real-time clock and CMOS RAM. */
  readonly rtc: Mc146818;
  /** PCI bus 0. */
  readonly pci: PciBus = new PciBus();
  /** 0:0.0. */
  readonly hostBridge: I440fx;
  /** 0:1.0, with speaker, A20 gate and reset control. */
  readonly isaBridge: Piix3Isa;
  /** 0:1.3. */
  readonly powerManagement: Piix4Pm;
  /** Keyboard controller. */
  readonly keyboardController: I8042;
  /** The keyboard that is plugged in. */
  readonly keyboard: Ps2Keyboard;
  /** The mouse that is plugged in. */
  readonly mouse: Ps2Mouse;
  /** COM1 and COM2. */
  readonly serials: readonly [Ns16550, Ns16550];
  /** LPT1. */
  readonly parallel: ParallelPort;
  /** Floppy controller with its drives. */
  readonly floppy: I82077aa;
  /** 0:1.1, both IDE channels with their drives. */
  readonly ide: PiixIde;
  /** 0:2.0, the display adapter. */
  readonly vga: Vga;
  /** The built-in BIOS; null if a ROM image takes its place. */
  readonly bios: Bios | null;
  /** Every device by its name, in the order in which they are reset. */
  readonly devices: Map<string, Device> = new Map();

  /** @throws RangeError if the configuration makes no sense. */
  constructor(config: MachineConfig, createProcessor: (bus: ProcessorBus) => Processor, events: BoardEvents) {
    checkMemory(config.memory);
    this.ram = { low: Math.min(config.memory, LOW_RAM_END), high: Math.max(0, config.memory - LOW_RAM_END) };
    this.memory = new PhysicalMemory({ ram: config.memory, extra: DEFAULT_VRAM_SIZE + 20 * MIB, ...PROCESSOR_FRONT });
    this.#mapRam();
    const { memory, ports } = this;
    this.pic = new I8259({
      intr: (level) => this.localApic === null ? this.cpu.setInterruptLine(level) : this.localApic.setPic(level),
      input: (irq, level) => this.ioApic?.setInput(IO_APIC.inputOf(irq), level),
    });
    const apic = () => this.localApic ?? undefined, timeScale = () => this.clock;
    this.cpu = createProcessor({
      memory,
      get localApic() {
        return apic();
      },
      ioRead: (port, size) => ports.read(port, size),
      ioWrite: (port, value, size) => ports.write(port, value, size),
      acknowledge: () => (this.localApic ?? this.pic).acknowledge(),
      timestamp: () => this.clock.now,
      get timeScale() {
        return timeScale();
      },
      floatingPointError: (pending) => this.isaBridge.floatingPointError(pending),
    });
    const clock = this.clock = new MachineClock(this.cpu, config.rate);
    const model = config.cpuModel ?? defaultCpuModel, hasApic = hasFeature(model, "apic");
    this.localApic = hasApic ? this.#createLocalApic() : null;
    this.ioApic = hasApic ? this.#createIoApic() : null;
    const coprocessorError = this.pic.line(13);

    this.pit = new I8254({ irq: this.pic.line(0), clock });
    this.dma = new I8237({ memory });
    this.rtc = new Mc146818({ irq: this.pic.line(8), clock, startTime: config.startTime ?? DEFAULT_START_TIME });
    const pciIrqs = Array.from({ length: 16 }, (_, irq) => this.pic.line(irq, Source.PCI));
    this.isaBridge = new Piix3Isa({
      clock,
      pit: this.pit,
      irq: (number) => pciIrqs[number],
      coprocessorError,
      setA20: (enabled) => this.cpu.setA20(enabled),
      reset: () => events.reset(),
    });
    this.powerManagement = new Piix4Pm({
      clock,
      sci: this.pic.line(9, Source.SCI),
      powerOff: () => events.exit({ reason: "power-off" }),
    });
    this.keyboardController = new I8042({
      irq1: this.pic.line(1),
      irq12: this.pic.line(12),
      clock,
      a20: this.isaBridge,
      reset: () => events.reset(),
    });
    this.keyboard = new Ps2Keyboard({ port: this.keyboardController.port(0), clock });
    this.mouse = new Ps2Mouse({ port: this.keyboardController.port(1), clock });
    const serial = (index: number, irq: number) =>
      new Ns16550({
        name: `ns16550.${index}`,
        irq: this.pic.line(irq),
        clock,
        line: config.serial?.[index] ?? { transmit: () => {} },
      });
    this.serials = [serial(0, 4), serial(1, 3)];
    this.parallel = new ParallelPort({
      irq: this.pic.line(7),
      clock,
      printer: config.parallel ?? { print: () => {} },
    });
    this.floppy = new I82077aa({
      clock,
      irq: this.pic.line(6),
      dma: this.dma.channel(2),
      drives: [config.fda, config.fdb],
    });
    const floppies = this.#floppies();
    const cmos = cmosContents(config, {
      ram: this.ram,
      floppyTypes: [floppies[0]?.cmosType ?? 0, floppies[1]?.cmosType ?? 0],
    });
    for (const [index, value] of cmos) this.rtc.setRam(index, value);
    const attachments = ideAttachments(config);
    this.ide = new PiixIde({ clock, memory, irq: [this.pic.line(14), this.pic.line(15)], attachments });
    this.vga = new Vga({ memory, clock });
    this.bios = this.#createBios(config, floppies, attachments);
    this.hostBridge = new I440fx({ memory, roms: this.bios?.install(memory) ?? this.#loadRoms(config) });
    const debugPorts = new DebugPorts({
      print: (byte) => events.debugByte(byte),
      exit: (value) => events.exit({ reason: "debug-exit", value, code: ((value << 1) | 1) & 0xff }),
    });

    this.pci.router = this.isaBridge;
    this.pci.connect(0, 0, this.hostBridge.pci);
    this.pci.connect(1, 0, this.isaBridge.pci);
    this.pci.connect(1, 1, this.ide.pci);
    this.pci.connect(1, 3, this.powerManagement.pci);
    this.pci.connect(2, 0, this.vga.pci);

    // The bridge's port CF9h lies within the PCI bus's CF8h–CFBh: it comes later.
    const attachable = [this.pic, this.pit, this.dma, this.rtc, this.pci, this.isaBridge, this.powerManagement];
    for (
      const device of [
        ...attachable,
        this.keyboardController,
        this.parallel,
        this.floppy,
        this.ide,
        this.vga,
        debugPorts,
      ]
    ) {
      device.attach(ports);
      this.#add(device);
    }
    this.serials[0].attach(ports, 0x3f8);
    this.serials[1].attach(ports, 0x2f8);
    for (const device of [this.hostBridge, this.keyboard, this.mouse, ...this.serials]) this.#add(device);
    if (this.ioApic !== null) this.#add(this.ioApic);
    if (this.localApic !== null) this.#add(this.localApic);
    if (this.bios !== null) {
      this.bios.attach(ports);
      this.#add(this.bios);
    }
    if (config.firmware?.kind === "rom") {
      this.#addFwCfg();
      if (config.firmware.vgaBios !== undefined) this.#addVgaRom(config.firmware.vgaBios);
    }
  }

  /** An interrupt request waits for the processor. */
  get interruptPending(): boolean {
    return (this.localApic ?? this.pic).interruptPending;
  }

  /** Resets every device. */
  reset(): void {
    for (const device of this.devices.values()) device.reset();
  }

  /**
   * Loads a kernel and puts the processor, which has just been reset, at its entry point.
   *
   * @throws KernelError if the kernel cannot be loaded, RangeError if the board has no built-in BIOS to do it.
   */
  startKernel(kernel: KernelConfig): void {
    if (this.bios === null || !(this.cpu instanceof Cpu)) {
      throw new RangeError("a kernel is loaded by the built-in BIOS: leave the firmware option out");
    }
    applyInitialState(this.cpu, this.bios.loadKernel(kernel, !hasLongMode(this.cpu.model)));
  }

  #createLocalApic(): LocalApic {
    const { memory } = this;
    let mapped: number | null = null;
    return new LocalApic({
      clock: this.clock,
      map: (address, size, registers) => {
        if (mapped !== null) memory.unmap(mapped, size);
        // Nowhere else than where nothing is: what lies below is not kept.
        const free = address !== null && address < FOUR_GIB && memory.kind(address / PAGE_SIZE) === PageKind.NONE;
        mapped = free ? address : null;
        if (mapped !== null) memory.mapMmio(mapped, size, registers);
      },
      intr: (level) => this.cpu.setInterruptLine(level),
      nmi: () => this.cpu.raiseNmi(),
      pic: this.pic,
      endOfInterrupt: (vector) => this.ioApic?.endOfInterrupt(vector),
    });
  }

  #createIoApic(): IoApic {
    const ioApic = new IoApic({
      send: (mode, vector, level, destination, logical) =>
        this.localApic?.receive(mode, vector, level, destination, logical) ?? false,
    });
    this.memory.mapMmio(IO_APIC.ADDRESS, PAGE_SIZE, ioApic);
    return ioApic;
  }

  #add(device: Device): void {
    this.devices.set(device.name, device);
  }

  #mapRam(): void {
    const { memory, ram } = this;
    memory.mapRam(0, 0xa0000, 0);
    memory.mapRam(MIB, ram.low - MIB, MIB);
    if (ram.high > 0) memory.mapRam(FOUR_GIB, ram.high, ram.low);
  }

  /** The floppy drives as the built-in BIOS sees them; gaps are undefined. */
  #floppies(): (BiosFloppy | undefined)[] {
    return this.floppy.drives.map((drive) =>
      drive && {
        get cmosType() {
          return drive.format === null ? 4 : cmosDriveType(drive.format);
        },
        get medium() {
          return drive.medium;
        },
        get changed() {
          return drive.state.changed;
        },
        set changed(changed) {
          drive.state.changed = changed;
        },
      }
    );
  }

  #createBios(
    config: MachineConfig,
    floppies: readonly (BiosFloppy | undefined)[],
    attachments: readonly (IdeAttachment | null)[],
  ): Bios | null {
    // Its services work on the registers of this project's own processor.
    if (config.firmware?.kind === "rom" || !(this.cpu instanceof Cpu)) return null;
    return new Bios({
      cpu: new CoreAccess(this.cpu),
      memory: this.memory,
      ports: this.ports,
      clock: this.clock,
      ram: this.ram,
      floppies: floppies.filter((floppy) => floppy !== undefined),
      ata: attachments.map((attachment, position) => {
        if (attachment === null) return null;
        const cdrom = this.ide.cdroms.get(position);
        return {
          kind: attachment.kind,
          get medium() {
            return cdrom === undefined ? attachment.medium : cdrom.medium;
          },
        };
      }),
      bootOrder: bootOrder(config),
      apic: this.localApic === null ? null : identify(config.cpuModel ?? defaultCpuModel),
    });
  }

  /** Puts the BIOS image below 4 GiB; returns what of it is seen below 1 MiB. */
  #loadRoms(config: MachineConfig): ShadowedRom[] {
    if (config.firmware?.kind !== "rom") return [];
    const { bios } = config.firmware;
    if (bios.length === 0 || bios.length % (64 * 1024) !== 0 || bios.length > 16 * MIB) {
      throw new RangeError(`a BIOS image is a multiple of 64 KiB and at most 16 MiB, not ${bios.length} bytes`);
    }
    const region = this.memory.allocate(bios.length);
    this.memory.bytes.set(bios, region.offset);
    this.memory.mapRom(FOUR_GIB - bios.length, bios.length, region.offset);
    const size = Math.min(bios.length, BIOS_WINDOW);
    return [{ address: MIB - size, size, offset: region.offset + bios.length - size }];
  }

  /** Presents a VGA BIOS in the expansion ROM of the adapter. */
  #addVgaRom(image: Uint8Array): void {
    if (image.length === 0 || image.length > 64 * 1024) {
      throw new RangeError(`a VGA BIOS has at most 64 KiB, not ${image.length} bytes`);
    }
    const { memory, vga } = this, region = memory.allocate(64 * 1024);
    memory.bytes.set(image, region.offset);
    let mapped: number | null = null;
    vga.pci.addRom(region.size, (base) => {
      if (mapped !== null) memory.unmap(mapped, region.size);
      if (base !== null) memory.mapRom(base, region.size, region.offset);
      mapped = base;
    });
  }

  #addFwCfg(): void {
    const { low, high } = this.ram;
    const map = [e820Entry(0, low, 1), ...(high > 0 ? [e820Entry(FOUR_GIB, high, 1)] : [])];
    const e820 = new Uint8Array(map.length * 20);
    map.forEach((entry, i) => e820.set(entry, 20 * i));
    const fwCfg = new FwCfg({ ramSize: low + high, files: new Map([["etc/e820", e820]]) });
    fwCfg.attach(this.ports);
    this.#add(fwCfg);
  }
}

function checkMemory(bytes: number): void {
  const largest = FOUR_GIB - GUEST_BASE - DEFAULT_VRAM_SIZE - 20 * MIB;
  if (!Number.isSafeInteger(bytes) || bytes < MIB || bytes % MIB !== 0 || bytes > largest) {
    throw new RangeError(
      `memory is a multiple of 1 MiB from 1 MiB to ${largest / MIB} MiB, not ${bytes} bytes: ` +
        "one WebAssembly memory of 4 GiB holds it, with ROM, video memory and the processor's state",
    );
  }
}

/** What hangs on the IDE channels: primary master and slave, secondary master and slave. */
function ideAttachments(config: MachineConfig): (IdeAttachment | null)[] {
  const disk = (medium: BlockBackend | undefined): IdeAttachment | null =>
    medium === undefined ? null : { kind: "disk", medium };
  const third: IdeAttachment | null = config.cdrom === undefined
    ? disk(config.hdc)
    : { kind: "cdrom", medium: config.cdrom };
  return [disk(config.hda), disk(config.hdb), third, disk(config.hdd)];
}
