/**
 * The trap interface between the ROM stubs and the services in TypeScript.
 *
 * A stub pushes a word with the service number and writes to {@link TRAP_PORT}. The write reaches {@link Bios}, which
 * takes the word off the stack again and runs the service; the stub then returns to its caller. Port 0xB1 decodes to
 * nothing on a PIIX board (0xB2 and 0xB3 are its APM control and status ports). A guest that writes to the port by
 * itself gets the service that its stack names, on its own memory and disks: nothing that INT would not give it.
 */
import { type Assembler, Jump, Op } from "./assembler.ts";

/** The private port that ROM stubs write to. */
export const TRAP_PORT = 0xb1;

/** Service numbers, below 0x80. Those up to 0x1F are the interrupts of the same number. */
export const Service = {
  PRINT_SCREEN: 0x05,
  TICK: 0x08,
  KEYBOARD_IRQ: 0x09,
  FLOPPY_IRQ: 0x0e,
  VIDEO: 0x10,
  EQUIPMENT: 0x11,
  MEMORY_SIZE: 0x12,
  DISK: 0x13,
  SERIAL: 0x14,
  SYSTEM: 0x15,
  KEYBOARD: 0x16,
  PRINTER: 0x17,
  NO_BOOT: 0x18,
  BOOT: 0x19,
  TIME: 0x1a,
  FLOPPY: 0x40,
  POST: 0x50,
  OPTION_ROM: 0x51,
  PAUSED: 0x52,
  SPURIOUS_IRQ: 0x53,
  RTC_IRQ: 0x54,
  MOUSE_IRQ: 0x55,
  FPU_IRQ: 0x56,
  IDE_IRQ: 0x57,
  IRQ9: 0x58,
  BIOS32: 0x60,
  PCI32: 0x61,
  APM_PROTECTED: 0x62,
} as const;

/** Emits the trap itself for 16-bit code: PUSH imm8; OUT imm8, AL. */
export function emitTrap(asm: Assembler, service: number): void {
  asm.db(0x6a, service);
  asm.outAl(TRAP_PORT);
}

/** Emits the trap for 32-bit code; the operand-size prefix keeps the pushed number a word. */
export function emitTrap32(asm: Assembler, service: number): void {
  asm.db(0x66, 0x6a, service);
  asm.outAl(TRAP_PORT);
}

/**
 * Emits an interrupt handler named `label`: trap, then IRET; while the service leaves carry set, wait for a hardware
 * interrupt and trap again.
 */
export function emitInterrupt(asm: Assembler, label: string, service: number): void {
  asm.label(label);
  emitTrap(asm, service);
  asm.jump(Jump.C, `${label}.wait`);
  asm.emit(Op.IRET);
  asm.label(`${label}.wait`);
  asm.emit(Op.STI, Op.HLT);
  asm.jump(Jump.ALWAYS, label);
}
