/** SMBIOS 2.8: what the machine says about itself. Source: DMTF DSP0134, System Management BIOS reference specification 2.8.0. */
import { checksum } from "./checksum.ts";
import type { RamSizes } from "./memory_map.ts";
import { SYSTEM_ROM } from "./system_rom.ts";

const KIB = 1024, MIB = 1024 * KIB;
const ENTRY_SIZE = 0x1f;

/** Little-endian fields of a structure: [bytes, value] pairs. */
type Field = readonly [bytes: 1 | 2 | 4 | 8, value: number];

/** One structure: header, formatted area, strings. */
function structure(type: number, fields: readonly Field[], strings: readonly string[] = []): number[] {
  const area = fields.flatMap(([bytes, value]) =>
    Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** i) % 256)
  );
  const text = strings.length === 0 ? [0] : strings.flatMap((string) => [...characters(string), 0]);
  return [type, area.length + 4, type, 0x01, ...area, ...text, 0];
}

function characters(text: string): number[] {
  return Array.from(text, (character) => character.charCodeAt(0));
}

const MAKER = "Bootwright";

function structures(ram: RamSizes): number[][] {
  const total = ram.low + ram.high;
  return [
    // BIOS: PCI, boot from CD, selectable boot, EDD; ACPI; a virtual machine.
    structure(
      0,
      [
        [1, 1],
        [1, 2],
        [2, 0xf000],
        [1, 3],
        [1, 0],
        [8, 0x98080],
        [1, 0x01],
        [1, 0x10],
        [1, 1],
        [1, 0],
        [1, 0xff],
        [1, 0xff],
      ],
      [MAKER, "1.0", "01/01/2026"],
    ),
    // System; woken by the power switch. The identifier is not set.
    structure(1, [[1, 1], [1, 2], [1, 3], [1, 0], [8, 0], [8, 0], [1, 6], [1, 0], [1, 0]], [
      MAKER,
      "PC (i440FX + PIIX3)",
      "1.0",
    ]),
    // Enclosure: other.
    structure(3, [
      [1, 1],
      [1, 1],
      [1, 2],
      [1, 0],
      [1, 0],
      [1, 3],
      [1, 3],
      [1, 3],
      [1, 2],
      [4, 0],
      [1, 0],
      [1, 1],
      [1, 0],
      [1, 0],
      [1, 0],
    ], [MAKER, "1.0"]),
    // Processor: central, enabled, one core.
    structure(
      4,
      [
        [1, 1],
        [1, 3],
        [1, 1],
        [1, 2],
        [8, 0],
        [1, 0],
        [1, 0],
        [2, 0],
        [2, 1000],
        [2, 1000],
        [1, 0x41],
        [1, 1],
        [2, 0xffff],
        [2, 0xffff],
        [2, 0xffff],
        [1, 0],
        [1, 0],
        [1, 0],
        [1, 1],
        [1, 1],
        [1, 1],
        [2, 0x0002],
        [2, 1],
      ],
      ["CPU 0", MAKER],
    ),
    // Memory array on the board, for system memory, without correction, and its one device.
    structure(16, [[1, 1], [1, 3], [1, 3], [4, total / KIB], [2, 0xfffe], [2, 1], [8, 0]]),
    structure(
      17,
      [
        [2, 16],
        [2, 0xfffe],
        [2, 64],
        [2, 64],
        [2, Math.min(0x7ffe, total / MIB)],
        [1, 9],
        [1, 0],
        [1, 1],
        [1, 0],
        [1, 7],
        [2, 2],
        [2, 0],
        [1, 2],
        [1, 0],
        [1, 0],
        [1, 0],
        [1, 0],
        [4, 0],
        [2, 0],
        [2, 0],
        [2, 0],
        [2, 0],
      ],
      ["DIMM 0", MAKER],
    ),
    structure(19, [[4, 0], [4, ram.low / KIB - 1], [2, 16], [1, 1], [8, 0], [8, 0]]),
    ...(ram.high > 0
      ? [structure(19, [[4, 4 * MIB], [4, 4 * MIB + ram.high / KIB - 1], [2, 16], [1, 1], [8, 0], [8, 0]])]
      : []),
    structure(32, [[4, 0], [2, 0], [1, 0]]),
    structure(127, []),
  ];
}

/** The entry point and, right behind it, the structures, for offset `offset` of the system ROM. */
export function smbiosTable(ram: RamSizes, offset: number): Uint8Array {
  const list = structures(ram);
  // Handles are consecutive.
  list.forEach((bytes, i) => {
    bytes[2] = i;
    bytes[3] = 0;
  });
  const array = list.findIndex((bytes) => bytes[0] === 16);
  for (const bytes of list) {
    if (bytes[0] === 17) bytes[4] = array;
    if (bytes[0] === 19) bytes[12] = array;
  }
  const body = Uint8Array.from(list.flat());
  const start = Math.ceil(ENTRY_SIZE / 16) * 16;
  const bytes = new Uint8Array(start + body.length);
  const view = new DataView(bytes.buffer);
  bytes.set(characters("_SM_"), 0);
  bytes[5] = ENTRY_SIZE;
  bytes[6] = 2;
  bytes[7] = 8;
  view.setUint16(8, Math.max(...list.map((structureBytes) => structureBytes.length)), true);
  bytes.set(characters("_DMI_"), 16);
  view.setUint16(22, body.length, true);
  view.setUint32(24, SYSTEM_ROM.ADDRESS + offset + start, true);
  view.setUint16(28, list.length, true);
  bytes[30] = 0x28;
  bytes[21] = checksum(bytes.subarray(16, ENTRY_SIZE));
  bytes[4] = checksum(bytes.subarray(0, ENTRY_SIZE));
  bytes.set(body, start);
  return bytes;
}
