/** A machine for tests of the BIOS: interrupts are called through real ROM code on the real processor. */
import { Cpu } from "../cpu/cpu.ts";
import { S } from "../cpu/state.ts";
import type { MachineConfig } from "../machine/config.ts";
import { Machine } from "../machine/machine.ts";
import type { Bios } from "./bios.ts";
import { Reg, Sreg } from "./cpu_access.ts";

/** Registers that an interrupt is called with and returns, by name. */
export interface BiosRegisters {
  ax?: number;
  bx?: number;
  cx?: number;
  dx?: number;
  si?: number;
  di?: number;
  bp?: number;
  ds?: number;
  es?: number;
  eax?: number;
  ebx?: number;
  ecx?: number;
  edx?: number;
}

/** What an interrupt returned. */
export interface BiosResult extends Required<BiosRegisters> {
  readonly ah: number;
  readonly al: number;
  readonly carry: boolean;
  readonly zero: boolean;
}

const CODE = 0x600, STACK = 0x7000;
const WORDS = { ax: Reg.AX, bx: Reg.BX, cx: Reg.CX, dx: Reg.DX, si: Reg.SI, di: Reg.DI, bp: Reg.BP } as const;
const WIDE = { eax: Reg.AX, ebx: Reg.BX, ecx: Reg.CX, edx: Reg.DX } as const;
/** Instructions after which a call counts as stuck. */
const PATIENCE = 20_000_000;

/** A machine on which POST has run and nothing was booted. */
export class BiosBench {
  readonly machine: Machine;
  readonly bios: Bios;
  readonly cpu: Cpu;

  constructor(config: Partial<MachineConfig> = {}) {
    const debug = { transmit: () => this.machine.requestStop() };
    this.machine = new Machine({ memory: 4 << 20, bootOrder: [], debug, ...config });
    const { bios, cpu } = this.machine.board;
    if (bios === null || !(cpu instanceof Cpu)) throw new Error("the machine has no built-in BIOS");
    this.bios = bios;
    this.cpu = cpu;
    bios.initialize();
  }

  /** Memory as the guest's bytes. */
  bytes(address: number, length: number): Uint8Array {
    const copy = new Uint8Array(length);
    this.machine.memory.read(address, copy);
    return copy;
  }

  /** Text in memory. */
  text(address: number, length: number): string {
    return String.fromCharCode(...this.bytes(address, length));
  }

  /** A line of the text screen, 80 columns, without trailing blanks. */
  line(row: number): string {
    return Array.from({ length: 80 }, (_, i) => this.text(0xb8000 + (row * 80 + i) * 2, 1)).join("").trimEnd();
  }

  /** Runs real-mode code at 0000:0600 with these registers; the write to the debug port behind it stops the machine. */
  run(code: readonly number[], registers: BiosRegisters = {}): BiosResult {
    const { cpu, machine } = this, { r } = cpu;
    machine.memory.write(CODE, Uint8Array.from([...code, 0xe6, 0xe9, 0xeb, 0xfe]));
    for (const [name, index] of Object.entries(WORDS)) r.set32(index, registers[name as keyof typeof WORDS] ?? 0);
    for (const [name, index] of Object.entries(WIDE)) {
      const value = registers[name as keyof typeof WIDE];
      if (value !== undefined) r.set32(index, value);
    }
    r.set32(Reg.SP, STACK);
    for (const segment of [Sreg.CS, Sreg.SS, Sreg.FS, Sreg.GS]) r.setRealSegment(segment, 0);
    r.setRealSegment(Sreg.DS, registers.ds ?? 0);
    r.setRealSegment(Sreg.ES, registers.es ?? 0);
    r.eflags = 2;
    r.ip = CODE;
    r.setI32(S.HALTED, 0);
    cpu.modeChanged();
    const why = machine.run(PATIENCE);
    if (why !== "requested") throw new Error(`the call did not return: ${why}, at ${r.selector(Sreg.CS)}:${r.ip}`);
    return this.#result();
  }

  /** INT `vector`. */
  int(vector: number, registers: BiosRegisters = {}): BiosResult {
    return this.run([0xcd, vector], registers);
  }

  #result(): BiosResult {
    const { r } = this.cpu;
    const word = (index: number) => r.get16(index);
    return {
      ax: word(Reg.AX),
      bx: word(Reg.BX),
      cx: word(Reg.CX),
      dx: word(Reg.DX),
      si: word(Reg.SI),
      di: word(Reg.DI),
      bp: word(Reg.BP),
      ds: r.selector(Sreg.DS),
      es: r.selector(Sreg.ES),
      eax: r.get32(Reg.AX),
      ebx: r.get32(Reg.BX),
      ecx: r.get32(Reg.CX),
      edx: r.get32(Reg.DX),
      ah: word(Reg.AX) >> 8,
      al: word(Reg.AX) & 0xff,
      carry: (r.eflags & 1) !== 0,
      zero: (r.eflags & 0x40) !== 0,
    };
  }
}
