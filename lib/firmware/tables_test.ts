import { assert, assertEquals } from "@std/assert";
import { acpiTables, rootPointer } from "./acpi.ts";
import { buffer, integer, packageOf, path, raw } from "./aml.ts";
import { mpTable } from "./mp_table.ts";
import { pirTable } from "./pir.ts";
import { smbiosTable } from "./smbios.ts";
import { BiosBench } from "./testing.ts";

const sum = (bytes: Uint8Array) => bytes.reduce((total, byte) => (total + byte) & 0xff, 0);
const text = (bytes: Uint8Array, at: number, length: number) => String.fromCharCode(...bytes.subarray(at, at + length));
const word32 = (bytes: Uint8Array, at: number) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);

Deno.test("AML: names, integers and packages are encoded in their shortest form", () => {
  assertEquals(path("\\_SB.PCI0"), raw(0x5c, 0x2e, 0x5f, 0x53, 0x42, 0x5f, 0x50, 0x43, 0x49, 0x30));
  assertEquals(path("ISA"), raw(0x49, 0x53, 0x41, 0x5f));
  assertEquals(integer(0) + integer(1) + integer(2) + integer(0x1234), raw(0, 1, 0x0a, 2, 0x0b, 0x34, 0x12));
  assertEquals(integer(0x12345678) + integer(2 ** 32), raw(0x0c, 0x78, 0x56, 0x34, 0x12, 0x0e, 0, 0, 0, 0, 1, 0, 0, 0));
  assertEquals(packageOf(integer(0), integer(5)), raw(0x12, 5, 2, 0, 0x0a, 5));
  const long = buffer("\0".repeat(100));
  assertEquals(long.slice(0, 3), raw(0x11, 0x40 | (104 & 15), 104 >> 4));
  assertEquals(long.length, 105);
});

Deno.test("ACPI tables have lengths and checksums, and point to one another", () => {
  const { tables, root } = acpiTables(0x3ff0000, { hasFloppy: true, hasApic: true });
  const at = (address: number) => tables.find((table) => table.address === address)?.bytes ?? new Uint8Array();
  for (const { bytes } of tables) {
    assertEquals(word32(bytes, 4), bytes.length);
    if (text(bytes, 0, 4) !== "FACS") assertEquals(sum(bytes), 0);
  }
  const pointer = rootPointer(root);
  assertEquals([sum(pointer), sum(pointer.subarray(0, 20))], [0, 0]);
  const rsdt = at(word32(pointer, 16)), xsdt = at(word32(pointer, 24));
  assertEquals([text(rsdt, 0, 4), text(xsdt, 0, 4)], ["RSDT", "XSDT"]);
  const fadt = at(word32(rsdt, 36));
  assertEquals(word32(xsdt, 36), word32(rsdt, 36));
  assertEquals([text(fadt, 0, 4), text(at(word32(fadt, 36)), 0, 4), text(at(word32(fadt, 40)), 0, 4)], [
    "FACP",
    "FACS",
    "DSDT",
  ]);
  assertEquals(word32(fadt, 36) % 64, 0);
});

Deno.test("the APICs are described in ACPI's and in the MP table, and nowhere if there are none", () => {
  const { tables } = acpiTables(0x3ff0000, { hasFloppy: true, hasApic: true });
  const madt = tables.find(({ bytes }) => text(bytes, 0, 4) === "APIC")?.bytes ?? new Uint8Array();
  const entries: [type: number, length: number][] = [];
  for (let at = 44; at < madt.length; at += madt[at + 1]) entries.push([madt[at], madt[at + 1]]);
  assertEquals([word32(madt, 36), word32(madt, 40)], [0xfee0_0000, 1]);
  assertEquals(entries.map(([type]) => type), [0, 1, 2, 2, 2, 2, 2, 4]);
  const none = acpiTables(0x3ff0000, { hasFloppy: true, hasApic: false });
  assertEquals(none.tables.some(({ bytes }) => text(bytes, 0, 4) === "APIC"), false);

  const mp = mpTable(0xf0180, { signature: 0xf41, features: 0x201 }), config = mp.subarray(16);
  assertEquals([text(mp, 0, 4), sum(mp.subarray(0, 16)), word32(mp, 4)], ["_MP_", 0, 0xf0190]);
  assertEquals([text(config, 0, 4), sum(config), config[4] | config[5] << 8], ["PCMP", 0, config.length]);
  let at = 44, count = 0;
  for (; at < config.length; count++) at += config[at] === 0 ? 20 : 8;
  assertEquals([at, count], [config.length, config[34] | config[35] << 8]);
});

Deno.test("the PCI routing table covers all slots", () => {
  const table = pirTable();
  assertEquals([text(table, 0, 4), sum(table), table.length], ["$PIR", 0, 32 + 31 * 16]);
  // Device 2, INTA#: PIRQB.
  assertEquals([table[32 + 16 + 1], table[32 + 16 + 2]], [2 << 3, 0x61]);
});

Deno.test("SMBIOS structures can be walked to their end", () => {
  const table = smbiosTable({ low: 64 << 20, high: 0 }, 0);
  assertEquals([text(table, 0, 4), sum(table.subarray(0, 31)), sum(table.subarray(16, 31))], ["_SM_", 0, 0]);
  const types: number[] = [];
  let at = 32;
  for (; at < table.length && types[types.length - 1] !== 127;) {
    types.push(table[at]);
    at += table[at + 1];
    while (table[at] !== 0 || table[at + 1] !== 0) at++;
    at += 2;
  }
  assertEquals(types, [0, 1, 3, 4, 16, 17, 19, 32, 127]);
  assertEquals(at, table.length);
  assertEquals(types.length, table[28]);
});

Deno.test("the ROMs have checksums, entry points and a reset vector", () => {
  const bench = new BiosBench();
  assertEquals([...bench.bytes(0xffff0, 5)], [0xea, 0x5b, 0xe0, 0x00, 0xf0]);
  assertEquals(bench.bytes(0xffffe, 1)[0], 0xfc);
  assertEquals(bench.bytes(0xfffffff0, 5), bench.bytes(0xffff0, 5));
  assertEquals(sum(bench.bytes(0xf0000, 0x10000)), 0);
  const video = bench.bytes(0xc0000, 0x8000);
  assertEquals([video[0], video[1], video[2] * 512, sum(video)], [0x55, 0xaa, 0x8000, 0]);
  const rom = bench.bytes(0xf0000, 0x10000);
  for (const signature of ["RSD PTR ", "_32_", "$PIR", "_SM_"]) {
    const found = Array.from({ length: 0x1000 }, (_, i) => i * 16).some((at) =>
      text(rom, at, signature.length) === signature
    );
    assert(found, `${signature} lies at a multiple of 16`);
  }
});
