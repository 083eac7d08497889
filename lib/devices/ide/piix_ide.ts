/**
 * The IDE function of the PIIX3: two channels at the legacy addresses, with bus masters.
 * Source: Intel 82371SB (PIIX3) data sheet (290550-002), sections 2.3 and 2.4.
 */
import type {
  AccessSize,
  BlockBackend,
  Clock,
  Device,
  DmaMemory,
  IrqLine,
  PortClaim,
  PortSpace,
} from "../../machine/types.ts";
import { PciCommand, PciFunction } from "../pci.ts";
import { AtaDisk } from "./ata_disk.ts";
import { AtapiCdrom } from "./atapi_cdrom.ts";
import { BusMaster, type BusMasterState } from "./bus_master.ts";
import { type ChannelState, IdeChannel } from "./channel.ts";

/** Configuration registers of the IDE function. */
const IDETIM = 0x40;
const SIDETIM = 0x44;
/** IDETIM: the channel decodes its ports. */
const IDE_DECODE_ENABLE = 0x8000;

/** Command block and control block of each channel. */
const LEGACY_PORTS = [{ command: 0x1f0, control: 0x3f6 }, { command: 0x170, control: 0x376 }] as const;

/** What is connected at one of the four positions. */
export type IdeAttachment =
  /** A disk; `serial` is its serial number in IDENTIFY DEVICE, at most 20 characters. */
  | { readonly kind: "disk"; readonly medium: BlockBackend; readonly serial?: string }
  /** A CD-ROM drive, with or without a medium. */
  | { readonly kind: "cdrom"; readonly medium: BlockBackend | null };

/** Wiring of a {@link PiixIde}. */
export interface PiixIdeWires {
  readonly clock: Clock;
  readonly memory: DmaMemory;
  /** IRQ 14 and IRQ 15. */
  readonly irq: readonly [IrqLine, IrqLine];
  /** Primary master, primary slave, secondary master, secondary slave; null or missing for an empty position. */
  readonly attachments: readonly (IdeAttachment | null | undefined)[];
}

/** Mutable state of a {@link PiixIde}. */
export type PiixIdeState = {
  /** PCI configuration space. */
  config: Uint8Array;
  channels: ChannelState[];
  busMasters: BusMasterState[];
};

/** The IDE controller of the board. */
export class PiixIde implements Device {
  readonly name = "piix_ide";
  readonly version = 1;
  readonly channels: readonly [IdeChannel, IdeChannel];
  readonly busMasters: readonly [BusMaster, BusMaster];
  /** The PCI function, for the bus at 0:1.1. */
  readonly pci: PciFunction;
  readonly state: PiixIdeState;
  /** The ATAPI drives by position (0–3). */
  readonly cdroms: ReadonlyMap<number, AtapiCdrom>;
  #ports: PortSpace | null = null;
  readonly #legacyClaims: readonly [PortClaim[], PortClaim[]] = [[], []];
  #busMasterClaim: PortClaim | null = null;
  #busMasterBase = 0;

  constructor(wires: PiixIdeWires) {
    const config = new Uint8Array(256);
    const busMaster = (index: number) =>
      new BusMaster({
        memory: wires.memory,
        enabled: () => (this.pci.command & PciCommand.MASTER) !== 0,
        started: () => this.channels[index].dmaStarted(),
      });
    const channel = (index: 0 | 1) =>
      new IdeChannel({
        interrupt: (level) => wires.irq[index].set(level),
        schedule: (drive, delay) =>
          wires.clock.schedule(this.name, `drive${2 * index + drive}`, wires.clock.now + delay),
        cancel: (drive) => wires.clock.cancel(this.name, `drive${2 * index + drive}`),
      }, this.busMasters[index]);
    this.busMasters = [busMaster(0), busMaster(1)];
    this.channels = [channel(0), channel(1)];
    const cdroms = new Map<number, AtapiCdrom>();
    wires.attachments.slice(0, 4).forEach((attachment, position) => {
      if (!attachment) return;
      const channel = this.channels[position >> 1], place = (position & 1) as 0 | 1;
      if (attachment.kind === "disk") {
        const serial = attachment.serial ?? `BW${String(position).padStart(8, "0")}`;
        channel.connect(place, (host) => new AtaDisk(host, attachment.medium, serial));
      } else {
        cdroms.set(position, channel.connect(place, (host) => new AtapiCdrom(host, attachment.medium)));
      }
    });
    this.cdroms = cdroms;
    this.state = {
      config,
      channels: this.channels.map((channel) => channel.state),
      busMasters: this.busMasters.map((master) => master.state),
    };
    this.pci = new PciFunction({
      config,
      vendorId: 0x8086,
      deviceId: 0x7010,
      classCode: 0x010180,
      commandMask: PciCommand.IO | PciCommand.MASTER,
      bars: [{ index: 4, kind: "io", size: 16 }],
      writable: [
        [IDETIM, 0xff],
        [IDETIM + 1, 0xf3],
        [IDETIM + 2, 0xff],
        [IDETIM + 3, 0xf3],
        [SIDETIM, 0xff],
      ],
      onMap: (_bar, base) => this.#mapBusMasters(base),
      onWrite: () => this.#mapLegacyPorts(),
    });
    this.#enableChannels();
  }

  /** Takes the port space to claim ports in: the legacy ports while the channel decodes them, the bus master ports by BAR 4. */
  attach(ports: PortSpace): void {
    this.#ports = ports;
    this.#mapLegacyPorts();
    this.pci.restored();
  }

  reset(): void {
    this.pci.reset();
    this.#enableChannels();
    for (const master of this.busMasters) master.reset();
    for (const channel of this.channels) channel.reset();
  }

  event(name: string): void {
    const position = Number(name.slice("drive".length));
    this.channels[position >> 1].due(position & 1);
  }

  restored(): void {
    this.pci.restored();
    this.#mapLegacyPorts();
    for (const channel of this.channels) channel.restored();
  }

  /** The data sheet leaves this to the firmware; the board powers on with both channels enabled, as every firmware leaves them. */
  #enableChannels(): void {
    this.pci.set(IDETIM, IDE_DECODE_ENABLE, 2);
    this.pci.set(IDETIM + 2, IDE_DECODE_ENABLE, 2);
    this.#mapLegacyPorts();
  }

  /** Claims or releases the legacy ports of each channel as its decode bit says. */
  #mapLegacyPorts(): void {
    const ports = this.#ports;
    if (ports === null) return;
    this.channels.forEach((channel, index) => {
      const enabled = (this.state.config[IDETIM + 2 * index + 1] & IDE_DECODE_ENABLE >> 8) !== 0;
      const claims = this.#legacyClaims[index];
      if (enabled === claims.length > 0) return;
      if (!enabled) {
        for (const claim of claims.splice(0)) claim.release();
        return;
      }
      const { command, control } = LEGACY_PORTS[index];
      claims.push(ports.claim(command, 8, channel, 4));
      claims.push(ports.claim(control, 1, {
        read: () => channel.readAlternateStatus(),
        write: (_port, value) => channel.writeControl(value),
      }));
    });
  }

  #mapBusMasters(base: number | null): void {
    this.#busMasterClaim?.release();
    this.#busMasterClaim = null;
    if (base === null || this.#ports === null) return;
    this.#busMasterBase = base;
    this.#busMasterClaim = this.#ports.claim(base, 16, {
      read: (port, size) => this.#readBusMaster(port - this.#busMasterBase, size),
      write: (port, value, size) => this.#writeBusMaster(port - this.#busMasterBase, value, size),
    }, 4);
  }

  #readBusMaster(offset: number, size: AccessSize): number {
    let value = 0;
    for (let i = 0; i < size; i++) {
      value += this.busMasters[offset + i >> 3].read(offset + i & 7) * 2 ** (8 * i);
    }
    return value;
  }

  #writeBusMaster(offset: number, value: number, size: AccessSize): void {
    for (let i = 0; i < size; i++) this.busMasters[offset + i >> 3].write(offset + i & 7, value >>> 8 * i & 0xff);
  }
}
