/**
 * The two cascaded 8259A interrupt controllers of a PC/AT, with the edge/level registers of the PIIX3.
 * Sources: Intel 8259A data sheet (1988); Intel 82371SB (PIIX3) data sheet, section 2.6.3 (ELCR at 4D0h and 4D1h).
 */
import type { Device, IrqLine, PortSpace } from "../machine/types.ts";

const ICW1 = { IC4: 0x01, SNGL: 0x02, SELECT: 0x10 };
const ICW4 = { UPM: 0x01, AEOI: 0x02, SFNM: 0x10 };
const OCW2 = { EOI: 0x20, SL: 0x40, R: 0x80 };
const OCW3 = { RIS: 0x01, RR: 0x02, P: 0x04, SELECT: 0x08, SMM: 0x20, ESMM: 0x40 };

/** Interrupts that the board keeps edge-triggered: 0, 1, 2 on the first controller, 8 and 13 on the second. */
const ELCR_WRITABLE = [0xf8, 0xde];

const CASCADE = 2;

function chipState() {
  return {
    /** Interrupt requests: latched edges, or the level of the inputs that ELCR makes level-triggered. */
    irr: 0,
    /** In service. */
    isr: 0,
    imr: 0,
    /** Level of the eight inputs. */
    lines: 0,
    /** Bit per input: level-triggered. */
    elcr: 0,
    /** Vector of input 0: ICW2. */
    vectorBase: 0,
    icw3: 0,
    icw4: 0,
    /** Which of ICW2–ICW4 the next write to the odd port is; 0 = OCW1. */
    initStep: 0,
    /** ICW1 of the running initialisation. */
    icw1: 0,
    /** The input with the lowest priority; the next one round has the highest. */
    lowest: 7,
    rotateOnAutoEoi: false,
    specialMask: false,
    /** The next read is a poll. */
    poll: false,
    /** Reads of the even port give ISR instead of IRR. */
    readIsr: false,
  };
}

type ChipState = ReturnType<typeof chipState>;

/** The pair of interrupt controllers: 16 lines, one INTR output. */
export class I8259 implements Device {
  readonly name = "i8259";
  readonly version = 1;
  readonly state = {
    chips: [chipState(), chipState()],
    /** What asserts each of the 16 inputs: a set of source bits. */
    sources: new Uint32Array(16),
  };
  readonly #setIntr: (level: boolean) => void;
  readonly #inputChanged: (irq: number, level: boolean) => void;
  #intr = false;

  /** `intr` receives the level of the INTR output whenever it changes, `input` those of the inputs, for who shares them. */
  constructor(wires: { intr: (level: boolean) => void; input?: (irq: number, level: boolean) => void }) {
    this.#setIntr = wires.intr;
    this.#inputChanged = wires.input ?? (() => {});
  }

  /** Level of the INTR output. */
  get interruptPending(): boolean {
    return this.#intr;
  }

  /**
   * Input `irq` (0–15, not 2) as a line. Several sources may share an input if each has a `source` number (0–31) of its own:
   * the input is asserted while any of them is.
   */
  line(irq: number, source = 0): IrqLine {
    const bit = 1 << source;
    return {
      set: (level) => {
        const { sources } = this.state;
        const now = level ? sources[irq] | bit : sources[irq] & ~bit;
        if (now >>> 0 === sources[irq]) return;
        const before = sources[irq] !== 0;
        sources[irq] = now;
        this.#setInput(irq >> 3, irq & 7, now !== 0);
        this.#update();
        if (before !== (now !== 0)) this.#inputChanged(irq, now !== 0);
      },
    };
  }

  attach(ports: PortSpace): void {
    for (const [index, base] of [[0, 0x20], [1, 0xa0]]) {
      ports.claim(base, 2, {
        read: (port) => this.#read(index, port & 1),
        write: (port, value) => this.#write(index, port & 1, value),
      });
    }
    ports.claim(0x4d0, 2, {
      read: (port) => this.state.chips[port & 1].elcr,
      write: (port, value) => this.#writeElcr(port & 1, value),
    });
  }

  /**
   * Power-on state. The data sheet leaves it open; here nothing gets through before the chips are initialised. The inputs
   * keep their level, for devices drive them.
   */
  reset(): void {
    for (const chip of this.state.chips) Object.assign(chip, { ...chipState(), imr: 0xff, lines: chip.lines });
    this.#update();
  }

  restored(): void {
    this.#intr = this.#pending(this.state.chips[0]) >= 0;
    this.#setIntr(this.#intr);
  }

  /** The interrupt acknowledge cycle: takes the request of the highest priority into service and returns its vector. */
  acknowledge(): number {
    const [master, slave] = this.state.chips;
    let vector: number;
    const irq = this.#pending(master);
    if (irq < 0) {
      // The request went away before the acknowledge: the data sheet's default IR7.
      vector = master.vectorBase + 7;
    } else {
      this.#takeIntoService(master, irq);
      vector = master.vectorBase + irq;
      if (irq === CASCADE) {
        const second = this.#pending(slave);
        if (second >= 0) this.#takeIntoService(slave, second);
        vector = slave.vectorBase + (second < 0 ? 7 : second);
      }
    }
    this.#update();
    return vector;
  }

  #setInput(index: number, input: number, level: boolean): void {
    const chip = this.state.chips[index], bit = 1 << input;
    if (level === ((chip.lines & bit) !== 0)) return;
    if (level) {
      chip.lines |= bit;
      chip.irr |= bit;
    } else {
      // An edge, too, must stay high until it is acknowledged (data sheet, "Edge and level triggered modes").
      chip.lines &= ~bit;
      chip.irr &= ~bit;
    }
  }

  /** Brings the cascade input and INTR up to date. */
  #update(): void {
    const [master, slave] = this.state.chips;
    this.#setInput(0, CASCADE, this.#pending(slave) >= 0);
    const intr = this.#pending(master) >= 0;
    if (intr === this.#intr) return;
    this.#intr = intr;
    this.#setIntr(intr);
  }

  /** The input whose request would be served next, or -1. */
  #pending(chip: ChipState): number {
    const requests = chip.irr & ~chip.imr;
    if (requests === 0) return -1;
    let inService = chip.specialMask ? chip.isr & ~chip.imr : chip.isr;
    // Special fully nested mode: the slave that is in service may ask again for something more urgent.
    if ((chip.icw4 & ICW4.SFNM) !== 0 && chip === this.state.chips[0]) inService &= ~(1 << CASCADE);
    for (let i = 1; i <= 8; i++) {
      const input = (chip.lowest + i) & 7, bit = 1 << input;
      if ((inService & bit) !== 0) return -1;
      if ((requests & bit) !== 0) return input;
    }
    return -1;
  }

  #takeIntoService(chip: ChipState, input: number): void {
    const bit = 1 << input;
    if ((chip.elcr & bit) === 0) chip.irr &= ~bit;
    if ((chip.icw4 & ICW4.AEOI) === 0) chip.isr |= bit;
    else if (chip.rotateOnAutoEoi) chip.lowest = input;
  }

  #read(index: number, odd: number): number {
    const chip = this.state.chips[index];
    if (chip.poll) {
      chip.poll = false;
      const input = this.#pending(chip);
      if (input < 0) return 0;
      this.#takeIntoService(chip, input);
      this.#update();
      return 0x80 | input;
    }
    if (odd === 1) return chip.imr;
    return chip.readIsr ? chip.isr : chip.irr;
  }

  #write(index: number, odd: number, value: number): void {
    const chip = this.state.chips[index];
    if (odd === 1) this.#writeOdd(chip, value);
    else if ((value & ICW1.SELECT) !== 0) this.#initialise(chip, value);
    else if ((value & OCW3.SELECT) !== 0) this.#operate(chip, value);
    else this.#endOfInterrupt(chip, value);
    this.#update();
  }

  #initialise(chip: ChipState, icw1: number): void {
    // Edges that were latched are forgotten; level-triggered inputs go on asking.
    Object.assign(chip, {
      ...chipState(),
      lines: chip.lines,
      irr: chip.lines & chip.elcr,
      elcr: chip.elcr,
      vectorBase: chip.vectorBase,
      icw3: chip.icw3,
      icw1,
      initStep: 2,
    });
  }

  #writeOdd(chip: ChipState, value: number): void {
    const wantsIcw4 = (chip.icw1 & ICW1.IC4) !== 0;
    switch (chip.initStep) {
      case 0:
        chip.imr = value;
        break;
      case 2:
        chip.vectorBase = value & 0xf8;
        chip.initStep = (chip.icw1 & ICW1.SNGL) === 0 ? 3 : wantsIcw4 ? 4 : 0;
        break;
      case 3:
        chip.icw3 = value;
        chip.initStep = wantsIcw4 ? 4 : 0;
        break;
      default:
        chip.icw4 = value;
        chip.initStep = 0;
    }
  }

  #operate(chip: ChipState, ocw3: number): void {
    if ((ocw3 & OCW3.P) !== 0) chip.poll = true;
    if ((ocw3 & OCW3.RR) !== 0) chip.readIsr = (ocw3 & OCW3.RIS) !== 0;
    if ((ocw3 & OCW3.ESMM) !== 0) chip.specialMask = (ocw3 & OCW3.SMM) !== 0;
  }

  #endOfInterrupt(chip: ChipState, ocw2: number): void {
    const rotate = (ocw2 & OCW2.R) !== 0, specific = (ocw2 & OCW2.SL) !== 0;
    if ((ocw2 & OCW2.EOI) === 0) {
      if (specific && rotate) chip.lowest = ocw2 & 7;
      else if (!specific) chip.rotateOnAutoEoi = rotate;
      return;
    }
    const input = specific ? ocw2 & 7 : this.#highestInService(chip);
    if (input < 0) return;
    chip.isr &= ~(1 << input);
    if (rotate) chip.lowest = input;
  }

  #highestInService(chip: ChipState): number {
    const inService = chip.specialMask ? chip.isr & ~chip.imr : chip.isr;
    for (let i = 1; i <= 8; i++) {
      const input = (chip.lowest + i) & 7;
      if ((inService & (1 << input)) !== 0) return input;
    }
    return -1;
  }

  #writeElcr(index: number, value: number): void {
    const chip = this.state.chips[index];
    const elcr = value & ELCR_WRITABLE[index];
    chip.irr = (chip.irr & ~elcr) | (chip.lines & elcr);
    chip.elcr = elcr;
    this.#update();
  }
}
