/**
 * The system ROM, F0000–FFFFF: reset and interrupt entry points as short stubs that trap into TypeScript, at the fixed
 * offsets of the IBM PC/AT technical reference where programs expect them, and the tables that programs read directly.
 */
import { Assembler, Jump, Op } from "./assembler.ts";
import { checksum } from "./checksum.ts";
import { emitInterrupt, emitTrap, emitTrap32, Service } from "./traps.ts";

/** Where the system ROM lies, and how long it is. */
export const SYSTEM_ROM = { SEGMENT: 0xf000, ADDRESS: 0xf0000, SIZE: 0x10000 } as const;

/** Entry points at the offsets of the IBM PC/AT BIOS. */
export const Entry = {
  POST: 0xe05b,
  NMI: 0xe2c3,
  BOOT: 0xe6f2,
  CONFIGURATION_TABLE: 0xe6f5,
  SERIAL: 0xe739,
  KEYBOARD: 0xe82e,
  KEYBOARD_IRQ: 0xe987,
  FLOPPY: 0xec59,
  FLOPPY_IRQ: 0xef57,
  FLOPPY_PARAMETERS: 0xefc7,
  PRINTER: 0xefd2,
  VIDEO: 0xf065,
  VIDEO_PARAMETERS: 0xf0a4,
  MEMORY_SIZE: 0xf841,
  EQUIPMENT: 0xf84d,
  SYSTEM: 0xf859,
  FONT_8X8: 0xfa6e,
  TIME: 0xfe6e,
  TICK: 0xfea5,
  DUMMY: 0xff53,
  PRINT_SCREEN: 0xff54,
  RESET: 0xfff0,
  DATE: 0xfff5,
  MODEL: 0xfffe,
} as const;

/** The system ROM's image and the segment offsets of its entry points. */
export interface SystemRom {
  /** 64 KiB. */
  readonly image: Uint8Array;
  /** Offset of the handler of each interrupt that the ROM serves. */
  readonly vectors: ReadonlyMap<number, number>;
  /** Offsets of entry points by name: `bios32`, `apm16`, `apm32`, and the tables. */
  offsetOf(label: string): number;
}

/** Tables that are laid down in the ROM from offset 0, each 16-byte aligned. */
export interface RomTable {
  readonly label: string;
  readonly bytes: Uint8Array;
}

/** Handlers that only return: software hooks of DOS and exceptions that nobody has claimed. */
const DUMMY_VECTORS = [0x00, 0x01, 0x03, 0x04, 0x06, 0x07, 0x1b, 0x1c, 0x4a];
const IRQ_VECTORS_WITHOUT_SERVICE = [0x0a, 0x0b, 0x0c, 0x0d, 0x0f, 0x72, 0x73];

/** 6845 values for 40×25, 80×25, graphics and monochrome text, then page sizes, columns and mode control bytes. IBM PC technical reference. */
const VIDEO_PARAMETERS = [
  ...[0x38, 0x28, 0x2d, 0x0a, 0x1f, 6, 0x19, 0x1c, 2, 7, 6, 7, 0, 0, 0, 0],
  ...[0x71, 0x50, 0x5a, 0x0a, 0x1f, 6, 0x19, 0x1c, 2, 7, 6, 7, 0, 0, 0, 0],
  ...[0x38, 0x28, 0x2d, 0x0a, 0x7f, 6, 0x64, 0x70, 2, 1, 6, 7, 0, 0, 0, 0],
  ...[0x61, 0x50, 0x52, 0x0f, 0x19, 6, 0x19, 0x19, 2, 0x0d, 0x0b, 0x0c, 0, 0, 0, 0],
  ...[0x00, 0x08, 0x00, 0x10, 0x00, 0x40, 0x00, 0x40],
  ...[40, 40, 80, 80, 40, 40, 80, 80],
  ...[0x2c, 0x28, 0x2d, 0x29, 0x2a, 0x2e, 0x1e, 0x29],
];

/** Diskette parameters for 1.44 MB: step and head times, motor off after 37 ticks, 512-byte sectors, 18 a track, gaps, fill byte, settle, start. */
const FLOPPY_PARAMETERS = [0xaf, 0x02, 0x25, 2, 18, 0x1b, 0xff, 0x6c, 0xf6, 15, 8];

/** INT 15h AH=C0h: model FC (AT), second 8259, RTC, INT 15h/4Fh, EBDA; INT 16h/09h. */
const CONFIGURATION = [8, 0, 0xfc, 0, 1, 0x74, 0x40, 0, 0, 0];

/** Builds the ROM. `font8x8` holds the glyphs of the first 128 characters, 8 bytes each. */
export function buildSystemRom(font8x8: Uint8Array, tables: readonly RomTable[]): SystemRom {
  const asm = new Assembler(SYSTEM_ROM.SIZE);
  for (const { label, bytes } of tables) {
    asm.align(16);
    asm.label(label);
    asm.emit(bytes);
  }
  const vectors = new Map<number, number>();
  emitProtectedModeEntries(asm);
  emitFixedEntries(asm, vectors);
  emitIrqHandlers(asm, vectors);
  for (const vector of DUMMY_VECTORS) vectors.set(vector, Entry.DUMMY);
  for (const vector of IRQ_VECTORS_WITHOUT_SERVICE) vectors.set(vector, asm.offsetOf("spurious"));
  emitTables(asm, vectors, font8x8);
  const image = asm.finish();
  image[0xffff] = checksum(image.subarray(0, 0xffff));
  return { image, vectors, offsetOf: (label) => asm.offsetOf(label) };
}

function emitProtectedModeEntries(asm: Assembler): void {
  asm.align(16);
  asm.label("bios32");
  emitTrap32(asm, Service.BIOS32);
  asm.emit(Op.RETF);
  asm.label("pci32");
  emitTrap32(asm, Service.PCI32);
  asm.emit(Op.RETF);
  asm.label("apm32");
  emitTrap32(asm, Service.APM_PROTECTED);
  asm.emit(Op.RETF);
  asm.label("apm16");
  emitTrap(asm, Service.APM_PROTECTED);
  asm.emit(Op.RETF);
  asm.label("enterProtectedMode");
  emitEnterProtectedMode(asm);
  asm.align(16);
  asm.emit(bios32Header(SYSTEM_ROM.ADDRESS + asm.offsetOf("bios32")));
}

/**
 * INT 15h AH=89h, entered by the service's IRET with the caller's frame on the stack and its table at ES:SI: loads the
 * descriptor tables, sets CR0.PE, and returns to the caller in the code segment of the table.
 */
function emitEnterProtectedMode(asm: Assembler): void {
  asm.db(0x26, 0x0f, 0x01, 0x54, 0x08); // LGDT ES:[SI + 08h]
  asm.db(0x26, 0x0f, 0x01, 0x5c, 0x10); // LIDT ES:[SI + 10h]
  asm.db(0x0f, 0x20, 0xc0); // MOV EAX, CR0
  asm.db(0x0c, 0x01); // OR AL, 1
  asm.db(0x0f, 0x22, 0xc0); // MOV CR0, EAX
  asm.jumpFar(0x38, asm.here + 5);
  asm.movAx(0x18);
  asm.emit(Op.MOV_DS_AX);
  asm.movAx(0x20);
  asm.emit(Op.MOV_ES_AX);
  asm.movAx(0x28);
  asm.emit(Op.MOV_SS_AX);
  asm.db(0x5b); // POP BX: the caller's IP
  asm.db(0x83, 0xc4, 0x04); // ADD SP, 4
  asm.db(0x6a, 0x30); // PUSH 30h
  asm.emit(Op.PUSH_BX, Op.XOR_AX_AX, Op.RETF);
}

/** The BIOS32 service directory's header with the physical address of its entry. Source: "Standard BIOS 32-bit Service Directory Proposal" 0.4. */
function bios32Header(entry: number): Uint8Array {
  const header = new Uint8Array(16);
  const view = new DataView(header.buffer);
  header.set([0x5f, 0x33, 0x32, 0x5f]);
  view.setUint32(4, entry, true);
  header[9] = 1;
  header[10] = checksum(header);
  return header;
}

function emitFixedEntries(asm: Assembler, vectors: Map<number, number>): void {
  const at = (offset: number, label: string, service: number, ...numbers: number[]) => {
    asm.org(offset);
    emitInterrupt(asm, label, service);
    for (const vector of numbers) vectors.set(vector, offset);
  };
  asm.org(Entry.POST);
  emitPost(asm);
  asm.label("disk");
  vectors.set(0x13, asm.here);
  emitInterrupt(asm, "int13", Service.DISK);
  vectors.set(0x18, asm.here);
  emitInterrupt(asm, "int18", Service.NO_BOOT);
  vectors.set(0x19, asm.here);
  emitInterrupt(asm, "int19", Service.BOOT);
  vectors.set(0x02, Entry.NMI);
  asm.org(Entry.NMI);
  asm.emit(Op.IRET);
  asm.org(Entry.BOOT);
  asm.jumpNear("int19");
  at(Entry.SERIAL, "int14", Service.SERIAL, 0x14);
  at(Entry.KEYBOARD, "int16", Service.KEYBOARD, 0x16);
  asm.org(Entry.KEYBOARD_IRQ);
  vectors.set(0x09, asm.here);
  emitKeyboardIrq(asm);
  at(Entry.FLOPPY, "int40", Service.FLOPPY, 0x40);
  at(Entry.FLOPPY_IRQ, "irq6", Service.FLOPPY_IRQ, 0x0e);
  at(Entry.PRINTER, "int17", Service.PRINTER, 0x17);
  at(Entry.VIDEO, "int10", Service.VIDEO, 0x10, 0x42);
  at(Entry.MEMORY_SIZE, "int12", Service.MEMORY_SIZE, 0x12);
  at(Entry.EQUIPMENT, "int11", Service.EQUIPMENT, 0x11);
  at(Entry.SYSTEM, "int15", Service.SYSTEM, 0x15);
  at(Entry.TIME, "int1a", Service.TIME, 0x1a);
  asm.org(Entry.TICK);
  vectors.set(0x08, asm.here);
  emitTick(asm);
  asm.org(Entry.DUMMY);
  asm.emit(Op.IRET);
  at(Entry.PRINT_SCREEN, "int05", Service.PRINT_SCREEN, 0x05);
  asm.org(Entry.RESET);
  asm.jumpFar(SYSTEM_ROM.SEGMENT, Entry.POST);
}

/** Power-on: the stack lies below the BDA until POST has decided that memory may be used; then option ROMs, then INT 19h. */
function emitPost(asm: Assembler): void {
  asm.emit(Op.CLI, Op.CLD);
  asm.movAx(0x0030);
  asm.emit(Op.MOV_SS_AX);
  asm.movSp(0x0100);
  emitTrap(asm, Service.POST);
  asm.jump(Jump.C, "resume");
  asm.emit(Op.XOR_AX_AX, Op.MOV_SS_AX);
  asm.movSp(0x7c00);
  asm.label("nextRom");
  asm.movAx(0x0040);
  asm.emit(Op.MOV_DS_AX);
  emitTrap(asm, Service.OPTION_ROM);
  asm.jump(Jump.NC, "romsDone");
  asm.db(0xff, 0x1e, 0x67, 0x00); // CALL FAR [0067]
  asm.jump(Jump.ALWAYS, "nextRom");
  asm.label("romsDone");
  asm.emit(Op.STI);
  asm.int(0x19);
  // Shutdown code 5 or 10: continue where the double word at 40:67 says, with the stack untouched.
  asm.label("resume");
  asm.movAx(0x0040);
  asm.emit(Op.MOV_DS_AX);
  asm.db(0xff, 0x2e, 0x67, 0x00); // JMP FAR [0067]
}

/** IRQ 1: INT 15h/4Fh may swallow or change the scan code; the service's answer in AL names what is left to do in real-mode code. */
function emitKeyboardIrq(asm: Assembler): void {
  asm.label("irq1");
  asm.emit(Op.PUSH_AX);
  asm.inAl(0x64);
  asm.db(0x24, 0x21); // AND AL, 21h: output buffer full, from the mouse
  asm.cmpAl(0x01);
  asm.jump(Jump.NZ, "irq1.none");
  asm.inAl(0x60);
  asm.movAh(0x4f);
  asm.emit(Op.STC);
  asm.int(0x15);
  asm.jump(Jump.NC, "irq1.none");
  emitTrap(asm, Service.KEYBOARD_IRQ);
  asm.jump(Jump.ALWAYS, "irq1.eoi");
  asm.label("irq1.none");
  asm.movAl(0);
  asm.label("irq1.eoi");
  asm.emit(Op.PUSH_AX);
  asm.movAl(0x20);
  asm.outAl(0x20);
  asm.emit(Op.POP_AX);
  asm.cmpAl(KeyAction.PRINT_SCREEN);
  asm.jump(Jump.NZ, "irq1.notPrint");
  asm.int(0x05);
  asm.label("irq1.notPrint");
  asm.cmpAl(KeyAction.BREAK);
  asm.jump(Jump.NZ, "irq1.notBreak");
  asm.int(0x1b);
  asm.label("irq1.notBreak");
  asm.cmpAl(KeyAction.SYSTEM_REQUEST);
  asm.jump(Jump.NZ, "irq1.notRequest");
  asm.movAx(0x8500);
  asm.int(0x15);
  asm.label("irq1.notRequest");
  asm.cmpAl(KeyAction.SYSTEM_REQUEST_END);
  asm.jump(Jump.NZ, "irq1.notEnd");
  asm.movAx(0x8501);
  asm.int(0x15);
  asm.label("irq1.notEnd");
  asm.cmpAl(KeyAction.PAUSE);
  asm.jump(Jump.NZ, "irq1.done");
  asm.label("irq1.pause");
  asm.emit(Op.STI, Op.HLT);
  emitTrap(asm, Service.PAUSED);
  asm.jump(Jump.C, "irq1.pause");
  asm.label("irq1.done");
  asm.emit(Op.POP_AX, Op.IRET);
}

/** What the keyboard interrupt's ROM code does after the service has seen the scan code. */
export const KeyAction = {
  NONE: 0,
  PRINT_SCREEN: 1,
  BREAK: 2,
  SYSTEM_REQUEST: 3,
  SYSTEM_REQUEST_END: 4,
  PAUSE: 5,
} as const;

/** IRQ 0. Programs rely on AX, DX and DS being saved around INT 1Ch, and on DS = 0040h in it. */
function emitTick(asm: Assembler): void {
  asm.label("irq0");
  asm.emit(Op.PUSH_DS, Op.PUSH_AX, Op.PUSH_DX);
  asm.movAx(0x0040);
  asm.emit(Op.MOV_DS_AX);
  emitTrap(asm, Service.TICK);
  asm.int(0x1c);
  asm.emit(Op.CLI);
  asm.movAl(0x20);
  asm.outAl(0x20);
  asm.emit(Op.POP_DX, Op.POP_AX, Op.POP_DS, Op.IRET);
}

function emitIrqHandlers(asm: Assembler, vectors: Map<number, number>): void {
  asm.org(0xd000);
  const simple = (label: string, service: number, ...numbers: number[]) => {
    for (const vector of numbers) vectors.set(vector, asm.here);
    emitInterrupt(asm, label, service);
  };
  simple("spurious", Service.SPURIOUS_IRQ);
  simple("irq14", Service.IDE_IRQ, 0x76, 0x77);

  // IRQ 8: the service says in carry whether the alarm rang; then INT 4Ah is called before the end of interrupt.
  vectors.set(0x70, asm.here);
  emitTrap(asm, Service.RTC_IRQ);
  asm.jump(Jump.NC, "irq8.done");
  asm.emit(Op.PUSHA, Op.PUSH_DS, Op.PUSH_ES, Op.STI);
  asm.int(0x4a);
  asm.emit(Op.CLI, Op.POP_ES, Op.POP_DS, Op.POPA);
  asm.label("irq8.done");
  asm.emit(Op.PUSH_AX);
  asm.movAl(0x20);
  asm.outAl(0xa0);
  asm.outAl(0x20);
  asm.emit(Op.POP_AX, Op.IRET);

  // IRQ 9 stands for IRQ 2 of the PC.
  vectors.set(0x71, asm.here);
  asm.emit(Op.PUSH_AX);
  asm.movAl(0x20);
  asm.outAl(0xa0);
  asm.emit(Op.POP_AX);
  asm.int(0x0a);
  asm.emit(Op.IRET);

  // IRQ 12: with a complete packet the service sets carry, the packet in AX BX CX DX, and ES:DI to the handler's far pointer.
  vectors.set(0x74, asm.here);
  asm.emit(Op.PUSHA, Op.PUSH_DS, Op.PUSH_ES);
  emitTrap(asm, Service.MOUSE_IRQ);
  asm.jump(Jump.NC, "irq12.done");
  asm.emit(Op.PUSH_AX, Op.PUSH_BX, Op.PUSH_CX, Op.PUSH_DX, Op.STI);
  asm.db(0x26, 0xff, 0x1d); // CALL FAR ES:[DI]
  asm.emit(Op.CLI);
  asm.db(0x83, 0xc4, 0x08); // ADD SP, 8
  asm.label("irq12.done");
  asm.movAl(0x20);
  asm.outAl(0xa0);
  asm.outAl(0x20);
  asm.emit(Op.POP_ES, Op.POP_DS, Op.POPA, Op.IRET);

  // IRQ 13: clear the coprocessor's latch, then behave like the PC's NMI.
  vectors.set(0x75, asm.here);
  asm.emit(Op.PUSH_AX, Op.XOR_AX_AX);
  asm.outAl(0xf0);
  asm.movAl(0x20);
  asm.outAl(0xa0);
  asm.outAl(0x20);
  asm.emit(Op.POP_AX);
  asm.int(0x02);
  asm.emit(Op.IRET);
}

function emitTables(asm: Assembler, vectors: Map<number, number>, font8x8: Uint8Array): void {
  asm.org(Entry.CONFIGURATION_TABLE);
  asm.db(...CONFIGURATION);
  asm.org(Entry.FLOPPY_PARAMETERS);
  asm.db(...FLOPPY_PARAMETERS);
  vectors.set(0x1e, Entry.FLOPPY_PARAMETERS);
  asm.org(Entry.VIDEO_PARAMETERS);
  asm.db(...VIDEO_PARAMETERS);
  vectors.set(0x1d, Entry.VIDEO_PARAMETERS);
  asm.org(Entry.FONT_8X8);
  asm.emit(font8x8.subarray(0, 1024));
  asm.org(Entry.DATE);
  asm.text("01/01/26");
  asm.org(Entry.MODEL);
  asm.db(0xfc, 0);
}
