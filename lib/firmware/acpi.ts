/** The ACPI tables. Source: ACPI specification 5.0, chapter 5; values of the power management block: Intel PIIX4 data sheet. */
import { AcpiCommand } from "../devices/piix4_pm.ts";
import { IO_APIC, LOCAL_APIC_ADDRESS } from "./apics.ts";
import { checksum } from "./checksum.ts";
import { CmosReg } from "./cmos.ts";
import { dsdtTerms } from "./dsdt.ts";
import { facsAddress } from "./memory_map.ts";
import { PM_BASE } from "./pci_setup.ts";

/** Bytes to be put at a physical address. */
export interface PlacedTable {
  readonly address: number;
  readonly bytes: Uint8Array;
}

const OEM_ID = "BOOTWR", OEM_TABLE_ID = "BOOTWRPC", CREATOR = "BTWR";
const HEADER = 36;
const SCI = 9, SMI_COMMAND = 0xb2, GPE_BLOCK = 0xafe0, RESET_PORT = 0xcf9, RESET_VALUE = 6;
/** WBINVD works, C1 works, sleep button is a control method device, the reset register is there. */
const FADT_FLAGS = 0x001 | 0x004 | 0x020 | 0x400;
/** There are devices on the LPC/ISA bus, and an 8042. */
const BOOT_ARCHITECTURE = 0x0003;

function ascii(target: Uint8Array, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) target[at + i] = text.charCodeAt(i);
}

/** A description table: header with checksum, then `body`. */
function table(signature: string, revision: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER + body.length);
  const view = new DataView(bytes.buffer);
  ascii(bytes, 0, signature);
  view.setUint32(4, bytes.length, true);
  bytes[8] = revision;
  ascii(bytes, 10, OEM_ID);
  ascii(bytes, 16, OEM_TABLE_ID);
  view.setUint32(24, 1, true);
  ascii(bytes, 28, CREATOR);
  view.setUint32(32, 1, true);
  bytes.set(body, HEADER);
  bytes[9] = checksum(bytes);
  return bytes;
}

/** The fixed description table, revision 3. */
function fadt(facs: number, dsdt: number): Uint8Array {
  const body = new Uint8Array(244 - HEADER);
  const view = new DataView(body.buffer);
  const dword = (offset: number, value: number) => view.setUint32(offset - HEADER, value, true);
  const byte = (offset: number, value: number) => view.setUint8(offset - HEADER, value);
  const io = (offset: number, bits: number, port: number) => {
    byte(offset, 1);
    byte(offset + 1, bits);
    dword(offset + 4, port);
  };
  dword(36, facs);
  dword(40, dsdt);
  // Desktop.
  byte(45, 1);
  view.setUint16(46 - HEADER, SCI, true);
  dword(48, SMI_COMMAND);
  byte(52, AcpiCommand.ENABLE);
  byte(53, AcpiCommand.DISABLE);
  dword(56, PM_BASE);
  dword(64, PM_BASE + 4);
  dword(76, PM_BASE + 8);
  dword(80, GPE_BLOCK);
  byte(88, 4);
  byte(89, 2);
  byte(91, 4);
  byte(92, 4);
  // No C2 and C3.
  view.setUint16(96 - HEADER, 0xfff, true);
  view.setUint16(98 - HEADER, 0xfff, true);
  byte(108, CmosReg.CENTURY);
  view.setUint16(109 - HEADER, BOOT_ARCHITECTURE, true);
  dword(112, FADT_FLAGS);
  io(116, 8, RESET_PORT);
  byte(128, RESET_VALUE);
  dword(132, facs);
  dword(140, dsdt);
  io(148, 32, PM_BASE);
  io(172, 16, PM_BASE + 4);
  io(208, 32, PM_BASE + 8);
  io(220, 32, GPE_BLOCK);
  return table("FACP", 3, body);
}

/** Structures of the multiple APIC description table, and its flag for the 8259As that are there as well. */
const MadtEntry = { LOCAL_APIC: 0, IO_APIC: 1, OVERRIDE: 2, LOCAL_NMI: 4 } as const;
const PCAT_COMPATIBLE = 1;
/** Polarity and trigger mode: as the ISA bus has them; active high and level-triggered; active low and level-triggered. */
const AS_BUS = 0x0, LEVEL_HIGH = 0xd, LEVEL_LOW = 0xf;
/** IRQs of the ISA bus that reach the I/O APIC otherwise than edge-triggered at the input of their own number. */
const OVERRIDES = [[0, AS_BUS], [5, LEVEL_LOW], [SCI, LEVEL_HIGH], [10, LEVEL_LOW], [11, LEVEL_LOW]] as const;

/** The multiple APIC description table, revision 1. */
function madt(): Uint8Array {
  const dword = (value: number) => [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
  const body = [
    ...dword(LOCAL_APIC_ADDRESS),
    ...dword(PCAT_COMPATIBLE),
    ...[MadtEntry.LOCAL_APIC, 8, 0, 0, ...dword(1)],
    ...[MadtEntry.IO_APIC, 12, IO_APIC.ID, 0, ...dword(IO_APIC.ADDRESS), ...dword(0)],
    ...OVERRIDES.flatMap(([irq, flags]) => [MadtEntry.OVERRIDE, 10, 0, irq, ...dword(IO_APIC.inputOf(irq)), flags, 0]),
    // NMI is at LINT1 of all processors.
    ...[MadtEntry.LOCAL_NMI, 6, 0xff, 0, 0, 1],
  ];
  return table("APIC", 1, Uint8Array.from(body));
}

function facs(): Uint8Array {
  const bytes = new Uint8Array(64);
  ascii(bytes, 0, "FACS");
  bytes[4] = bytes.length;
  bytes[32] = 1;
  return bytes;
}

/** Where the root tables lie, for the root pointer. */
export interface RootTables {
  readonly rsdt: number;
  readonly xsdt: number;
}

/** What of the board the tables depend on. */
export interface AcpiBoard {
  readonly hasFloppy: boolean;
  /** There are a local APIC and an I/O APIC. */
  readonly hasApic: boolean;
}

/** Tables with their places. */
export interface AcpiTables {
  readonly tables: readonly PlacedTable[];
  readonly root: RootTables;
}

/** All tables for the room at `base`, and the addresses of the root tables. */
export function acpiTables(base: number, board: AcpiBoard): AcpiTables {
  const tables: PlacedTable[] = [];
  let next = base;
  const place = (bytes: Uint8Array): number => {
    const address = next;
    tables.push({ address, bytes });
    next = Math.ceil((address + bytes.length) / 16) * 16;
    return address;
  };
  const facsAt = facsAddress(base);
  tables.push({ address: facsAt, bytes: facs() });
  const dsdt = place(table("DSDT", 1, dsdtTerms(board.hasFloppy)));
  const fixed = place(fadt(facsAt, dsdt));
  const listed = board.hasApic ? [fixed, place(madt())] : [fixed];
  const rsdt = place(table("RSDT", 1, new Uint8Array(Uint32Array.from(listed).buffer)));
  const xsdt = place(table("XSDT", 1, new Uint8Array(BigUint64Array.from(listed, BigInt).buffer)));
  return { tables, root: { rsdt, xsdt } };
}

/** The root system description pointer, revision 2. */
export function rootPointer(root: RootTables): Uint8Array {
  const bytes = new Uint8Array(36);
  const view = new DataView(bytes.buffer);
  ascii(bytes, 0, "RSD PTR ");
  ascii(bytes, 9, OEM_ID);
  bytes[15] = 2;
  view.setUint32(16, root.rsdt, true);
  view.setUint32(20, bytes.length, true);
  view.setUint32(24, root.xsdt, true);
  bytes[8] = checksum(bytes.subarray(0, 20));
  bytes[32] = checksum(bytes);
  return bytes;
}
