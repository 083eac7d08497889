import { assert, assertEquals } from "@std/assert";
import { Random } from "../../scripts/lib/random.ts";
import { CD_SECTOR, MemoryDisk } from "../disk/mod.ts";
import type { MachineConfig } from "../machine/config.ts";
import { Machine } from "../machine/machine.ts";
import { BiosBench } from "./testing.ts";

/** MOV AL, DL; OUT F4h, AL: tells the boot drive through the debug-exit port. */
const TELL_DRIVE = [0x88, 0xd0, 0xe6, 0xf4, 0xeb, 0xfe];
const GIVE_UP = [0xcd, 0x18];

function bootSector(code: readonly number[], size = 1474560): Uint8Array {
  const image = new Uint8Array(size);
  image.set(code);
  image.set([0x55, 0xaa], 510);
  return image;
}

/** A disc with a boot catalogue in block 19 and a boot image from block 20. */
function disc(media: number, image: Uint8Array, sectors: number, segment = 0): Uint8Array {
  const bytes = new Uint8Array(20 * CD_SECTOR + Math.ceil(image.length / CD_SECTOR) * CD_SECTOR);
  const text = (at: number, value: string) => bytes.set(new TextEncoder().encode(value), at);
  [[16, 1], [17, 0], [18, 255]].forEach(([block, type]) => {
    bytes[block * CD_SECTOR] = type;
    text(block * CD_SECTOR + 1, "CD001\x01");
  });
  text(17 * CD_SECTOR + 7, "EL TORITO SPECIFICATION");
  const view = new DataView(bytes.buffer);
  view.setUint32(17 * CD_SECTOR + 71, 19, true);
  const catalog = 19 * CD_SECTOR;
  bytes.set([1, 0], catalog);
  bytes.set([0x55, 0xaa], catalog + 30);
  let sum = 0;
  for (let i = 0; i < 32; i += 2) sum += view.getUint16(catalog + i, true);
  view.setUint16(catalog + 28, -sum & 0xffff, true);
  bytes[catalog + 32] = 0x88;
  bytes[catalog + 33] = media;
  view.setUint16(catalog + 34, segment, true);
  view.setUint16(catalog + 38, sectors, true);
  view.setUint32(catalog + 40, 20, true);
  bytes.set(image, 20 * CD_SECTOR);
  return bytes;
}

function boot(config: Partial<MachineConfig>, instructions = 1_000_000): Machine {
  const machine = new Machine({ memory: 4 << 20, ...config });
  machine.run(instructions, 5e9);
  return machine;
}

function screen(machine: Machine): string {
  const text = machine.board.vga.textScreen();
  return text === null ? "" : Array.from({ length: text.rows }, (_, row) => text.line(row)).join("\n");
}

Deno.test("the boot order decides, and DL names the drive", () => {
  const fda = () => new MemoryDisk(bootSector(TELL_DRIVE)), hda = () => new MemoryDisk(bootSector(TELL_DRIVE, 1 << 20));
  assertEquals(boot({ fda: fda(), hda: hda() }).exit?.value, 0x00);
  assertEquals(boot({ fda: fda(), hda: hda(), bootOrder: ["disk", "floppy"] }).exit?.value, 0x80);
  assertEquals(boot({ fda: new MemoryDisk(new Uint8Array(1474560)), hda: hda() }).exit?.value, 0x80);
});

Deno.test("INT 18h goes on with the next device", () => {
  const machine = boot({
    fda: new MemoryDisk(bootSector(GIVE_UP)),
    hda: new MemoryDisk(bootSector(TELL_DRIVE, 1 << 20)),
  });
  assertEquals(machine.exit?.value, 0x80);
});

Deno.test("a machine without a bootable device says so, and tries again at a key press", () => {
  const machine = boot({});
  assert(screen(machine).includes("No bootable device"));
  machine.keyboard.key("Enter", true);
  machine.keyboard.key("Enter", false);
  machine.run(2_000_000, machine.clock.now + 1e9);
  assertEquals(screen(machine).split("No bootable device").length, 3);
});

Deno.test("Ctrl-Alt-Del restarts the machine", () => {
  // STI; HLT; JMP back to the HLT.
  const machine = boot({ fda: new MemoryDisk(bootSector([0xfb, 0xf4, 0xeb, 0xfd])) }, 100_000);
  machine.memory.write8(0x540, 0x5a);
  for (const key of ["ControlLeft", "AltLeft", "Delete"]) machine.keyboard.key(key, true);
  machine.run(100_000, machine.clock.now + 1e9);
  assertEquals(machine.memory.read8(0x540), 0, "POST has cleared low memory");
  assert(screen(machine).includes("Booting from floppy"));
});

Deno.test("El Torito without emulation loads the image's sectors and tells the CD's number", () => {
  const image = new Uint8Array(4096);
  image.set(TELL_DRIVE, 2048 + 100);
  // JMP NEAR over to the second block.
  image.set([0xe9, (2048 + 100 - 3) & 0xff, (2048 + 100 - 3) >> 8]);
  assertEquals(boot({ cdrom: new MemoryDisk(disc(0, image, 8)) }).exit?.value, 0xe0);
  assertEquals(boot({ cdrom: new MemoryDisk(disc(0, image, 8, 0x2000)) }).exit?.value, 0xe0);
});

Deno.test("El Torito emulates floppies and hard disks, and INT 13h AH=4Bh ends it", () => {
  const floppy = bootSector(TELL_DRIVE);
  floppy.fill(0x77, 512, 1024);
  assertEquals(boot({ cdrom: new MemoryDisk(disc(2, floppy, 1)) }).exit?.value, 0x00);
  const hard = bootSector(TELL_DRIVE, 1 << 20);
  hard.set([0x80, 1, 1, 0, 6, 15, 63, 1, 63, 0, 0, 0, 0x00, 0x07, 0, 0], 0x1be);
  assertEquals(boot({ cdrom: new MemoryDisk(disc(4, hard, 1)) }).exit?.value, 0x80);

  const bench = new BiosBench({ cdrom: new MemoryDisk(disc(2, floppy, 1)), fda: new MemoryDisk(bootSector([])) });
  const { state } = bench.bios;
  Object.assign(state, { bootCd: 0, emulating: true });
  bench.int(0x13, { ax: 0x0201, cx: 0x0002, es: 0x1000 });
  assertEquals(bench.bytes(0x10000, 1)[0], 0x77);
  const write = bench.int(0x13, { ax: 0x0301, cx: 0x0002, es: 0x1000 });
  assertEquals([write.carry, write.ah], [true, 3]);
  assert(!bench.int(0x13, { ax: 0x4b00, si: 0x8000 }).carry);
  assertEquals([...bench.bytes(0x8000, 8)], [0x13, 2, 0, 0, 20, 0, 0, 0]);
  assertEquals(state.emulating, false);
  bench.int(0x13, { ax: 0x0201, cx: 0x0002, es: 0x1000 });
  assertEquals(bench.bytes(0x10000, 1)[0], 0, "drive 0 is the real floppy again");
});

Deno.test("boot media of random bytes never get out of the BIOS", () => {
  const random = new Random(12345);
  for (let round = 0; round < 4; round++) {
    const noise = random.bytes(64 << 10);
    noise.set([0x55, 0xaa], 510);
    const catalog = disc(random.below(6), noise, random.below(256), random.below(256));
    for (let i = 0; i < 16; i++) catalog[17 * CD_SECTOR + 64 + random.below(32)] = random.below(256);
    boot(
      { fda: new MemoryDisk(noise.slice(0, 40960)), cdrom: new MemoryDisk(catalog), hda: new MemoryDisk(noise) },
      20_000,
    );
    boot({ cdrom: new MemoryDisk(catalog) }, 20_000);
  }
});
