/**
 * VGA with the Bochs VBE extension, as a PCI display controller.
 *
 * Sources: IBM, "PS/2 Hardware Interface Technical Reference — Video Subsystem", 1992; "Bochs VBE Display API".
 */
import type { PhysicalMemory, Region } from "../../machine/memory.ts";
import type { Clock, Device, PortHandler, PortSpace } from "../../machine/types.ts";
import { PciFunction } from "../pci.ts";
import { agreeDispi, readDispi, writeDispi } from "./dispi.ts";
import { type DisplayMode, displayMode } from "./geometry.ts";
import { LEGACY_BASE, LEGACY_SIZE, type PlainWindow, Planes } from "./planes.ts";
import { type Raster, rasterize, type RasterOptions } from "./raster.ts";
import {
  Attribute,
  AttributeBit,
  Crtc,
  CrtcBit,
  Dispi,
  DispiBit,
  dispiEnabled,
  initialVgaState,
  MiscellaneousBit,
  STATUS_FROM_CRTC,
  VgaPort,
  type VgaState,
} from "./registers.ts";
import { type TextScreen, textScreen } from "./text.ts";
import { beamStatus } from "./timing.ts";

/** Video memory unless the wires say otherwise: 16 MiB. */
export const DEFAULT_VRAM_SIZE = 0x100_0000;
const SMALLEST_VRAM = 0x4_0000;
const LARGEST_VRAM = 0x1000_0000;

/** No part of the legacy window is plain memory. */
const NO_WINDOW: PlainWindow = { base: 0, size: 0, offset: -1 };

/** What {@link Vga} is connected to. */
export interface VgaWires {
  /** Takes the adapter's memory, and is what the adapter is mapped in. */
  readonly memory: PhysicalMemory;
  /** Guest time: where the beam is. */
  readonly clock: Clock;
  /** Bytes of video memory, a power of two from 256 KiB to 256 MiB; default {@link DEFAULT_VRAM_SIZE}. */
  readonly vramSize?: number;
}

/** Bits that the guest can set, by register; what is not listed here reads back as written. */
const SEQUENCER_MASK = [0x03, 0x3d, 0x0f, 0x3f, 0x0e, 0, 0, 0] as const;
const GRAPHICS_MASK = [0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff] as const;
const CRTC_REGISTERS = 0x19;
const PROTECTED_REGISTERS = 7;
const LINE_COMPARE_BIT_8 = 0x10;

/** The display adapter: registers, video memory, and the picture that they make. */
export class Vga implements Device {
  readonly name = "vga";
  readonly version = 1;
  readonly state: VgaState & { config: Uint8Array };
  /** The adapter on the PCI bus (0:2.0): vendor 1234h, device 1111h, the linear framebuffer in BAR 0. */
  readonly pci: PciFunction;
  /** Video memory: a part of the machine's linear memory. */
  readonly vram: Region;
  readonly #wires: VgaWires;
  readonly #planes: Planes;
  /** Physical address of the linear framebuffer, or null while the guest has not enabled it. */
  #framebuffer: number | null = null;
  /** The part of the legacy window that is mapped as plain memory. */
  #plain = NO_WINDOW;

  /**
   * Makes an adapter in its power-on state; it has no ports and no addresses yet.
   *
   * @throws RangeError if the size of video memory is not a power of two in range, or memory has no room for it.
   */
  constructor(wires: VgaWires) {
    const size = wires.vramSize ?? DEFAULT_VRAM_SIZE;
    if (size < SMALLEST_VRAM || size > LARGEST_VRAM || (size & (size - 1)) !== 0) {
      throw new RangeError(`video memory is a power of two from 256 KiB to 256 MiB, not ${size} bytes`);
    }
    this.#wires = wires;
    this.vram = wires.memory.allocate(size);
    this.state = { ...initialVgaState(), config: new Uint8Array(256) };
    this.#planes = new Planes(wires.memory, this.vram, this.state);
    this.pci = new PciFunction({
      config: this.state.config,
      vendorId: 0x1234,
      deviceId: 0x1111,
      revisionId: 2,
      classCode: 0x030000,
      subsystemVendorId: 0x1af4,
      subsystemId: 0x1100,
      bars: [{ index: 0, kind: "memory", size, prefetchable: true }],
      onMap: (_bar, base) => this.#mapFramebuffer(base),
    });
  }

  /** Claims the ports (3B4h–3DFh of the VGA, 1CEh–1D0h of the Bochs VBE display) and the memory at A0000h–BFFFFh. */
  attach(ports: PortSpace): void {
    const registers: PortHandler = {
      read: (port) => this.#readPort(port),
      write: (port, value) => this.#writePort(port, value),
    };
    ports.claim(VgaPort.CRTC_MONO, 2, registers);
    ports.claim(VgaPort.CRTC_MONO + STATUS_FROM_CRTC, 1, registers);
    ports.claim(VgaPort.ATTRIBUTE, 16, registers);
    ports.claim(VgaPort.CRTC_COLOR, 2, registers);
    ports.claim(VgaPort.CRTC_COLOR + STATUS_FROM_CRTC, 1, registers);
    const dispi: PortHandler = {
      read: (port) =>
        port === VgaPort.DISPI_INDEX
          ? this.state.dispiIndex
          : readDispi(this.state, this.state.dispiIndex, this.vram.size),
      write: (port, value) => port === VgaPort.DISPI_INDEX ? this.#selectDispi(value) : this.#writeDispi(value),
    };
    for (const port of [VgaPort.DISPI_INDEX, VgaPort.DISPI_DATA, 0x1d0]) ports.claim(port, 2, dispi, 2);
    this.#mapWindow();
  }

  reset(): void {
    Object.assign(this.state, initialVgaState());
    this.pci.reset();
    this.#updateWindow();
  }

  restored(): void {
    const { state } = this;
    // A state that this version did not write must not lead outside the palette or video memory.
    state.dacReadIndex &= 0xff;
    state.dacWriteIndex &= 0xff;
    state.dacComponent = (state.dacComponent & 3) % 3;
    if (dispiEnabled(state)) agreeDispi(state, this.vram.size);
    this.pci.restored();
    this.#mapWindow();
  }

  /** Video memory as bytes, for who draws it or inspects it. */
  get vramBytes(): Uint8Array {
    return this.#planes.bytes;
  }

  /** What the registers make of video memory: kind of picture, size, depth. */
  get displayMode(): DisplayMode {
    return displayMode(this.state);
  }

  /** The mode in words, for example `"text 80x25"`, `"planar 640x480x4"`, `"packed 320x200x8"`, `"vbe 1024x768x32"`. */
  get modeName(): string {
    return this.displayMode.name;
  }

  /** The picture at guest time `nowNs` as RGBA, exactly as a monitor would show it. */
  rasterize(nowNs: number, options: RasterOptions = {}): Raster {
    return rasterize(this.state, this.#planes.cells, nowNs, options);
  }

  /** The characters on the screen, or null in a graphics mode. */
  textScreen(): TextScreen | null {
    return textScreen(this.state, this.#planes.cells);
  }

  #mapFramebuffer(base: number | null): void {
    const { memory } = this.#wires;
    if (this.#framebuffer !== null) memory.unmap(this.#framebuffer, this.vram.size);
    this.#framebuffer = base;
    if (base !== null) memory.mapRam(base, this.vram.size, this.vram.offset);
  }

  #mapWindow(): void {
    this.#wires.memory.mapMmio(LEGACY_BASE, LEGACY_SIZE, this.#planes);
    this.#plain = NO_WINDOW;
    this.#updateWindow();
  }

  /** Makes the legacy window plain memory or a device, whichever the registers call for; does nothing if it is so already. */
  #updateWindow(): void {
    this.#planes.update();
    const wanted = this.#planes.plainWindow() ?? NO_WINDOW;
    const { base, size, offset } = this.#plain;
    if (wanted.base === base && wanted.size === size && wanted.offset === offset) return;
    const { memory } = this.#wires;
    if (wanted.size < size) memory.mapMmio(LEGACY_BASE, LEGACY_SIZE, this.#planes);
    if (wanted.size > 0) memory.mapRam(wanted.base, wanted.size, this.vram.offset + wanted.offset);
    this.#plain = wanted;
  }

  #readPort(port: number): number {
    const { state } = this;
    switch (port) {
      case VgaPort.ATTRIBUTE:
        return state.attributeIndex;
      case VgaPort.ATTRIBUTE_READ:
        return state.attribute[state.attributeIndex & 0x1f];
      case VgaPort.MISCELLANEOUS:
        return 0;
      case VgaPort.VIDEO_ENABLE:
        return 1;
      case VgaPort.SEQUENCER:
        return state.sequencerIndex;
      case VgaPort.SEQUENCER + 1:
        return state.sequencer[state.sequencerIndex];
      case VgaPort.PEL_MASK:
        return state.pelMask;
      case VgaPort.DAC_READ:
        return state.dacState;
      case VgaPort.DAC_WRITE:
        return state.dacWriteIndex;
      case VgaPort.DAC_DATA:
        return this.#readDac();
      case VgaPort.FEATURE_CONTROL_READ:
        return state.featureControl;
      case VgaPort.MISCELLANEOUS_READ:
        return state.miscellaneous;
      case VgaPort.GRAPHICS:
        return state.graphicsIndex;
      case VgaPort.GRAPHICS + 1:
        return state.graphics[state.graphicsIndex];
    }
    if (!this.#ownsCrtcPort(port)) return 0xff;
    switch (port & 0x0f) {
      case 0x4:
        return state.crtcIndex;
      case 0x5:
        return state.crtc[state.crtcIndex];
      default:
        state.attributeData = false;
        return beamStatus(state, this.#wires.clock.now);
    }
  }

  #writePort(port: number, value: number): void {
    const { state } = this;
    switch (port) {
      case VgaPort.ATTRIBUTE:
        this.#writeAttribute(value);
        return;
      case VgaPort.MISCELLANEOUS:
        state.miscellaneous = value;
        this.#updateWindow();
        return;
      case VgaPort.SEQUENCER:
        state.sequencerIndex = value & 7;
        return;
      case VgaPort.SEQUENCER + 1:
        state.sequencer[state.sequencerIndex] = value & SEQUENCER_MASK[state.sequencerIndex];
        this.#updateWindow();
        return;
      case VgaPort.PEL_MASK:
        state.pelMask = value;
        return;
      case VgaPort.DAC_READ:
        state.dacReadIndex = value;
        state.dacComponent = 0;
        state.dacState = 3;
        return;
      case VgaPort.DAC_WRITE:
        state.dacWriteIndex = value;
        state.dacComponent = 0;
        state.dacState = 0;
        return;
      case VgaPort.DAC_DATA:
        this.#writeDac(value);
        return;
      case VgaPort.GRAPHICS:
        state.graphicsIndex = value & 0x0f;
        return;
      case VgaPort.GRAPHICS + 1:
        if (state.graphicsIndex >= GRAPHICS_MASK.length) return;
        state.graphics[state.graphicsIndex] = value & GRAPHICS_MASK[state.graphicsIndex];
        this.#updateWindow();
        return;
    }
    if (!this.#ownsCrtcPort(port)) return;
    switch (port & 0x0f) {
      case 0x4:
        state.crtcIndex = value & 0x1f;
        return;
      case 0x5:
        this.#writeCrtc(value);
        return;
      case 0xa:
        state.featureControl = value & 3;
    }
  }

  /** 3Bxh answers in monochrome addressing, 3Dxh in colour addressing; never both. */
  #ownsCrtcPort(port: number): boolean {
    return port < 0x3c0 || port >= 0x3d0
      ? ((port & 0x40) !== 0) === ((this.state.miscellaneous & MiscellaneousBit.COLOR_ADDRESS) !== 0)
      : false;
  }

  #writeAttribute(value: number): void {
    const { state } = this;
    if (!state.attributeData) {
      state.attributeIndex = value & 0x3f;
      state.attributeData = true;
      return;
    }
    state.attributeData = false;
    const index = state.attributeIndex & 0x1f;
    if (index < Attribute.MODE_CONTROL) {
      // While the palette drives the screen the processor cannot reach it.
      if ((state.attributeIndex & AttributeBit.PALETTE_ADDRESS_SOURCE) === 0) state.attribute[index] = value & 0x3f;
    } else if (index <= Attribute.COLOR_SELECT) {
      state.attribute[index] = value;
    }
  }

  #writeCrtc(value: number): void {
    const { crtc, crtcIndex } = this.state;
    if (crtcIndex >= CRTC_REGISTERS) return;
    if ((crtc[Crtc.VERTICAL_RETRACE_END] & CrtcBit.PROTECT) !== 0 && crtcIndex <= PROTECTED_REGISTERS) {
      if (crtcIndex === Crtc.OVERFLOW) {
        crtc[Crtc.OVERFLOW] = crtc[Crtc.OVERFLOW] & ~LINE_COMPARE_BIT_8 | value & LINE_COMPARE_BIT_8;
      }
      return;
    }
    crtc[crtcIndex] = value;
  }

  #readDac(): number {
    const { state } = this;
    const value = state.palette[state.dacReadIndex * 3 + state.dacComponent];
    if (++state.dacComponent === 3) {
      state.dacComponent = 0;
      state.dacReadIndex = (state.dacReadIndex + 1) & 0xff;
    }
    return value;
  }

  #writeDac(value: number): void {
    const { state } = this;
    state.dacLatch[state.dacComponent] = (state.dispi[Dispi.ENABLE] & DispiBit.DAC_8BIT) !== 0 ? value : value & 0x3f;
    if (++state.dacComponent === 3) {
      state.palette.set(state.dacLatch, state.dacWriteIndex * 3);
      state.dacComponent = 0;
      state.dacWriteIndex = (state.dacWriteIndex + 1) & 0xff;
    }
  }

  #selectDispi(value: number): void {
    this.state.dispiIndex = value & 0xffff;
  }

  #writeDispi(value: number): void {
    const { state } = this;
    const cleared = writeDispi(state, state.dispiIndex, value & 0xffff, this.vram.size);
    if (cleared > 0) {
      this.#planes.bytes.fill(0, 0, cleared);
      this.#wires.memory.noteWrite(this.vram.offset, cleared);
    }
    this.#updateWindow();
  }

  /** True while the Bochs VBE display drives the screen. */
  get vbeEnabled(): boolean {
    return dispiEnabled(this.state);
  }
}
