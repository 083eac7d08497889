/** The view that a BIOS service has of its caller: registers by their names, memory, and the flags that it returns. */
import { type CpuAccess, Eflags, Reg, Sreg } from "./cpu_access.ts";
import type { LinearMemory } from "./linear_memory.ts";

/** How the ROM stub that trapped returns to its caller, which decides where result flags go. */
export const Return = {
  /** IRET: flags are changed in the image on the stack. */
  INTERRUPT: 0,
  /** RETF or fall-through: flags are changed in the processor. */
  NEAR: 1,
} as const;

/** One trap into the firmware. There is one object per BIOS, pointed at each trap in turn. */
export class Call {
  #kind: number = Return.INTERRUPT;

  constructor(readonly cpu: CpuAccess, readonly memory: LinearMemory) {}

  /** Starts a trap whose stub returns in the way `kind`; carry in the processor's flags, which asks the stub to wait, is cleared. */
  begin(kind: number): void {
    this.#kind = kind;
    if (kind === Return.INTERRUPT) this.cpu.eflags &= ~Eflags.CF;
  }

  /** Tells an interrupt stub to wait for the next hardware interrupt and then trap again, registers unchanged. */
  wait(): void {
    this.cpu.eflags |= Eflags.CF;
  }

  /** Linear address of the top of the stack. */
  get stackTop(): number {
    const sp = this.cpu.get32(Reg.SP);
    return (this.cpu.segmentBase(Sreg.SS) + (this.cpu.stackSize !== 16 ? sp : sp & 0xffff)) >>> 0;
  }

  /** Moves the stack pointer by `bytes`, wrapping as the stack's size says. */
  moveStack(bytes: number): void {
    const sp = this.cpu.get32(Reg.SP);
    this.cpu.set32(
      Reg.SP,
      this.cpu.stackSize !== 16 ? (sp + bytes) >>> 0 : ((sp & 0xffff_0000) | ((sp + bytes) & 0xffff)) >>> 0,
    );
  }

  /** Flags as the caller will see them after the stub returned. */
  get callerFlags(): number {
    return this.#kind === Return.INTERRUPT ? this.memory.read16(this.stackTop + 4) : this.cpu.eflags;
  }

  #setFlag(flag: number, on: boolean): void {
    const flags = on ? this.callerFlags | flag : this.callerFlags & ~flag;
    if (this.#kind === Return.INTERRUPT) this.memory.write16(this.stackTop + 4, flags);
    else this.cpu.eflags = flags;
  }

  set carry(on: boolean) {
    this.#setFlag(Eflags.CF, on);
  }

  set zero(on: boolean) {
    this.#setFlag(Eflags.ZF, on);
  }

  /** Carry clear and AH = 0: the way most services report success. */
  succeed(): void {
    this.ah = 0;
    this.carry = false;
  }

  /** Carry set and AH = `code`. */
  fail(code: number): void {
    this.ah = code;
    this.carry = true;
  }

  #low16(index: number): number {
    return this.cpu.get32(index) & 0xffff;
  }

  #setLow16(index: number, value: number): void {
    this.cpu.set32(index, ((this.cpu.get32(index) & 0xffff_0000) | (value & 0xffff)) >>> 0);
  }

  #setLow8(index: number, value: number): void {
    this.#setLow16(index, (this.#low16(index) & 0xff00) | (value & 0xff));
  }

  #setHigh8(index: number, value: number): void {
    this.#setLow16(index, (this.#low16(index) & 0x00ff) | (value & 0xff) << 8);
  }

  get eax(): number {
    return this.cpu.get32(Reg.AX);
  }

  set eax(value: number) {
    this.cpu.set32(Reg.AX, value >>> 0);
  }

  get ax(): number {
    return this.#low16(Reg.AX);
  }

  set ax(value: number) {
    this.#setLow16(Reg.AX, value);
  }

  get ecx(): number {
    return this.cpu.get32(Reg.CX);
  }

  set ecx(value: number) {
    this.cpu.set32(Reg.CX, value >>> 0);
  }

  get cx(): number {
    return this.#low16(Reg.CX);
  }

  set cx(value: number) {
    this.#setLow16(Reg.CX, value);
  }

  get edx(): number {
    return this.cpu.get32(Reg.DX);
  }

  set edx(value: number) {
    this.cpu.set32(Reg.DX, value >>> 0);
  }

  get dx(): number {
    return this.#low16(Reg.DX);
  }

  set dx(value: number) {
    this.#setLow16(Reg.DX, value);
  }

  get ebx(): number {
    return this.cpu.get32(Reg.BX);
  }

  set ebx(value: number) {
    this.cpu.set32(Reg.BX, value >>> 0);
  }

  get bx(): number {
    return this.#low16(Reg.BX);
  }

  set bx(value: number) {
    this.#setLow16(Reg.BX, value);
  }

  get ebp(): number {
    return this.cpu.get32(Reg.BP);
  }

  set ebp(value: number) {
    this.cpu.set32(Reg.BP, value >>> 0);
  }

  get bp(): number {
    return this.#low16(Reg.BP);
  }

  set bp(value: number) {
    this.#setLow16(Reg.BP, value);
  }

  get esi(): number {
    return this.cpu.get32(Reg.SI);
  }

  set esi(value: number) {
    this.cpu.set32(Reg.SI, value >>> 0);
  }

  get si(): number {
    return this.#low16(Reg.SI);
  }

  set si(value: number) {
    this.#setLow16(Reg.SI, value);
  }

  get edi(): number {
    return this.cpu.get32(Reg.DI);
  }

  set edi(value: number) {
    this.cpu.set32(Reg.DI, value >>> 0);
  }

  get di(): number {
    return this.#low16(Reg.DI);
  }

  set di(value: number) {
    this.#setLow16(Reg.DI, value);
  }

  get al(): number {
    return this.#low16(Reg.AX) & 0xff;
  }

  set al(value: number) {
    this.#setLow8(Reg.AX, value);
  }

  get ah(): number {
    return this.#low16(Reg.AX) >>> 8;
  }

  set ah(value: number) {
    this.#setHigh8(Reg.AX, value);
  }

  get cl(): number {
    return this.#low16(Reg.CX) & 0xff;
  }

  set cl(value: number) {
    this.#setLow8(Reg.CX, value);
  }

  get ch(): number {
    return this.#low16(Reg.CX) >>> 8;
  }

  set ch(value: number) {
    this.#setHigh8(Reg.CX, value);
  }

  get dl(): number {
    return this.#low16(Reg.DX) & 0xff;
  }

  set dl(value: number) {
    this.#setLow8(Reg.DX, value);
  }

  get dh(): number {
    return this.#low16(Reg.DX) >>> 8;
  }

  set dh(value: number) {
    this.#setHigh8(Reg.DX, value);
  }

  get bl(): number {
    return this.#low16(Reg.BX) & 0xff;
  }

  set bl(value: number) {
    this.#setLow8(Reg.BX, value);
  }

  get bh(): number {
    return this.#low16(Reg.BX) >>> 8;
  }

  set bh(value: number) {
    this.#setHigh8(Reg.BX, value);
  }

  /** Selector in ES. */
  get es(): number {
    return this.cpu.selector(Sreg.ES);
  }

  set es(selector: number) {
    this.cpu.setRealSegment(Sreg.ES, selector);
  }

  /** Selector in DS. */
  get ds(): number {
    return this.cpu.selector(Sreg.DS);
  }

  set ds(selector: number) {
    this.cpu.setRealSegment(Sreg.DS, selector);
  }

  /** Linear address of ES:`offset`. */
  atEs(offset: number): number {
    return (this.cpu.segmentBase(Sreg.ES) + offset) >>> 0;
  }

  /** Linear address of DS:`offset`. */
  atDs(offset: number): number {
    return (this.cpu.segmentBase(Sreg.DS) + offset) >>> 0;
  }
}
