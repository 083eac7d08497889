import { assert, assertEquals, assertThrows } from "@std/assert";
import { Random } from "../../../scripts/lib/random.ts";
import { PhysicalMemory } from "../../machine/memory.ts";
import { memoryMap } from "../memory_map.ts";
import {
  KernelError,
  KernelFormatError,
  type KernelImage,
  KernelMemoryError,
  KernelProtocolError,
  loadKernel,
  loadLinux,
  type LoadTarget,
} from "./mod.ts";
import { Register } from "./initial_state.ts";

function target(mebibytes = 16): LoadTarget & { memory: PhysicalMemory } {
  const low = mebibytes << 20;
  const memory = new PhysicalMemory({ ram: low, extra: 0 });
  memory.mapRam(0, low, 0);
  return { memory, map: memoryMap({ low, high: 0 }), rsdp: 0 };
}

function text(memory: PhysicalMemory, address: number): string {
  let value = "";
  for (let at = address; memory.read8(at) !== 0; at++) value += String.fromCharCode(memory.read8(at));
  return value;
}

/** A bzImage with 4 setup sectors and a kernel of `size` bytes. */
function bzImage(size: number, version = 0x020f): Uint8Array {
  const image = new Uint8Array(5 * 512 + size);
  const view = new DataView(image.buffer);
  image[0x1f1] = 4;
  view.setUint32(0x1f4, Math.ceil(size / 16), true);
  view.setUint16(0x1fe, 0xaa55, true);
  image[0x200] = 0xeb;
  image[0x201] = 0x6a;
  view.setUint32(0x202, 0x53726448, true);
  view.setUint16(0x206, version, true);
  image[0x211] = 1;
  view.setUint32(0x214, 0x100000, true);
  view.setUint32(0x22c, 0x7fffffff, true);
  view.setUint32(0x238, 2047, true);
  view.setUint32(0x260, 0x400000, true);
  image.fill(0xcc, 5 * 512);
  return image;
}

/** A 32-bit ELF executable with one segment at 1 MiB that holds `body`. */
function elf(body: Uint8Array, memorySize = body.length, note?: Uint8Array): Uint8Array {
  const count = note === undefined ? 1 : 2, start = 52 + 32 * count;
  const image = new Uint8Array(start + body.length + (note?.length ?? 0));
  const view = new DataView(image.buffer);
  image.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 3, true);
  view.setUint32(24, 0xc0100010, true);
  view.setUint32(28, 52, true);
  view.setUint16(42, 32, true);
  view.setUint16(44, count, true);
  [1, start, 0xc0100000, 0x100000, body.length, memorySize].forEach((value, i) =>
    view.setUint32(52 + i * 4, value, true)
  );
  image.set(body, start);
  if (note !== undefined) {
    [4, start + body.length, 0, 0, note.length, 0].forEach((value, i) => view.setUint32(84 + i * 4, value, true));
    image.set(note, start + body.length);
  }
  return image;
}

function multiboot(flags: number): Uint8Array {
  const body = new Uint8Array(256);
  const view = new DataView(body.buffer);
  view.setUint32(16, 0x1badb002, true);
  view.setUint32(20, flags, true);
  view.setUint32(24, -(0x1badb002 + flags) >>> 0, true);
  return body;
}

Deno.test("loadLinux fills the zero page and puts everything in its place", () => {
  const at = target();
  const initrd = new Uint8Array(5000).fill(0x11);
  const state = loadLinux(at, { image: bzImage(3000), initrd, commandLine: "console=ttyS0" });
  const page = state.registers[Register.SI];
  assertEquals([state.ip, state.protectedMode, state.cs.selector, state.data.selector], [0x100000, true, 0x10, 0x18]);
  assertEquals(at.memory.read8(0x100000), 0xcc);
  assertEquals(at.memory.read32(page + 0x202), 0x53726448);
  assertEquals(at.memory.read8(page + 0x210), 0xff);
  assertEquals(text(at.memory, at.memory.read32(page + 0x228)), "console=ttyS0");
  const address = at.memory.read32(page + 0x218);
  assertEquals(at.memory.read32(page + 0x21c), 5000);
  assertEquals([at.memory.read8(address), at.memory.read8(address + 4999)], [0x11, 0x11]);
  assert(address + 5000 <= (16 << 20) - 0x10000 && address > (15 << 20));
  assertEquals(at.memory.read8(page + 0x1e8), at.map.length);
  assertEquals([at.memory.read8(page + 6), at.memory.read8(page + 7), at.memory.read8(page + 0xe)], [3, 80, 25]);
});

Deno.test("loadLinux enters the real-mode setup code if it is asked to or the protocol is old", () => {
  const at = target();
  const state = loadLinux(at, { image: bzImage(3000), commandLine: "quiet" }, "16-bit");
  assertEquals([state.protectedMode, state.ip, state.cs.base], [false, 0, state.data.base + 0x200]);
  assertEquals(text(at.memory, at.memory.read32(state.data.base + 0x228)), "quiet");
  const careful = loadLinux({ ...target(), oldProcessor: true }, { image: bzImage(3000) });
  assertEquals([careful.protectedMode, careful.cs.selector], [false, state.cs.selector]);
  const old = loadLinux(target(), { image: bzImage(3000, 0x0201) });
  assertEquals([old.protectedMode, old.cs.selector], [false, 0x9020]);
  assertThrows(() => loadLinux(target(), { image: bzImage(3000, 0x0201) }, "32-bit"), KernelProtocolError, "2.01");
});

Deno.test("loadLinux tells what is wrong", () => {
  assertThrows(() => loadLinux(target(), { image: new Uint8Array(4096) }), KernelFormatError, "HdrS");
  assertThrows(() => loadLinux(target(), { image: bzImage(30000).subarray(0, 9000) }), KernelFormatError, "cut short");
  assertThrows(() => loadLinux(target(2), { image: bzImage(3000) }), KernelMemoryError, "more memory");
  const initrd = new Uint8Array(13 << 20);
  assertThrows(() => loadLinux(target(), { image: bzImage(3000), initrd }), KernelMemoryError, "initial RAM disk");
  const commandLine = "x".repeat(3000);
  assertThrows(() => loadLinux(target(), { image: bzImage(3000), commandLine }), KernelProtocolError, "2047");
});

Deno.test("loadLinux leaves room where the kernel unpacks itself", () => {
  const image = bzImage(3000), view = new DataView(image.buffer);
  view.setUint32(0x230, 0x20_0000, true);
  image[0x234] = 1;
  view.setBigUint64(0x258, 0x60_0000n, true);
  const initrd = new Uint8Array(3 << 20);
  loadLinux(target(), { image, initrd });
  // 4 MiB from 12 MiB on do not fit below the tables at the end of 16 MiB.
  view.setUint32(0x230, 0xc0_0000, true);
  assertThrows(() => loadLinux(target(), { image }), KernelMemoryError, "more memory");
  assertThrows(() => loadLinux(target(18), { image, initrd }), KernelMemoryError, "initial RAM disk");
});

Deno.test("loadKernel starts multiboot 1 kernels with information, module and memory map", () => {
  const at = target();
  const state = loadKernel(at, {
    image: elf(multiboot(3), 0x1000),
    initrd: Uint8Array.of(1, 2, 3),
    commandLine: "a b",
  });
  assertEquals([state.ip, state.registers[Register.AX]], [0x100010, 0x2badb002]);
  const info = state.registers[Register.BX];
  assertEquals(at.memory.read32(info) & 0x4d, 0x4d);
  assertEquals(text(at.memory, at.memory.read32(info + 16)), "a b");
  const module = at.memory.read32(at.memory.read32(info + 24));
  assertEquals(at.memory.read8(module + 2), 3);
  assertEquals(at.memory.read32(info + 44), at.map.length * 24);
});

Deno.test("loadKernel starts multiboot 1 kernels by their addresses", () => {
  const at = target(), flags = 0x10003;
  const image = multiboot(flags);
  const view = new DataView(image.buffer);
  [0x200010, 0x200000, 0, 0x202000, 0x200040].forEach((value, i) => view.setUint32(28 + i * 4, value, true));
  image[0x40] = 0xf4;
  at.memory.write8(0x201000, 0xff);
  const state = loadKernel(at, { image });
  assertEquals([state.ip, at.memory.read8(0x200040), at.memory.read8(0x201000)], [0x200040, 0xf4, 0]);
  view.setUint32(32, 0x300000, true);
  assertThrows(() => loadKernel(target(), { image }), KernelFormatError);
});

Deno.test("loadKernel leaves kernels below 640 KiB alone", () => {
  const place = (load: number, end: number) => {
    const image = multiboot(0x10003), view = new DataView(image.buffer), at = target();
    [load + 16, load, 0, end, load + 0x40].forEach((value, i) => view.setUint32(28 + i * 4, value, true));
    const { gdt, registers } = loadKernel(at, { image });
    assertEquals(at.memory.read32(load + 16), 0x1badb002);
    return [gdt?.base, registers[Register.SP], registers[Register.BX]];
  };
  assertEquals(place(0x1_0000, 0x9_0000), [0x8000, 0x8000, 0x9000]);
  assertEquals(place(0x8000, 0x2_0000), [0x8_0000, 0x8_0000, 0x8_1000]);
  assertThrows(() => place(0x8000, 0x9_0000), KernelMemoryError, "no room");
});

Deno.test("loadKernel starts multiboot 2 kernels", () => {
  const at = target();
  const body = new Uint8Array(256);
  const view = new DataView(body.buffer);
  [0xe85250d6, 0, 40, -(0xe85250d6 + 40) >>> 0].forEach((value, i) => view.setUint32(16 + i * 4, value, true));
  view.setUint16(32, 3, true);
  view.setUint32(36, 12, true);
  view.setUint32(40, 0x100020, true);
  view.setUint32(52, 8, true);
  // The header has to lie at a multiple of 8 in the file.
  const image = elf(body);
  const padded = new Uint8Array(image.length + 4);
  padded.set(image.subarray(0, 84));
  padded.set(image.subarray(84), 88);
  new DataView(padded.buffer).setUint32(56, 88, true);
  const state = loadKernel(at, { image: padded, commandLine: "hello", initrd: Uint8Array.of(9) });
  assertEquals([state.ip, state.registers[Register.AX]], [0x100020, 0x36d76289]);
  const info = state.registers[Register.BX];
  const types: number[] = [];
  for (let tag = info + 8; tag < info + at.memory.read32(info); tag += (at.memory.read32(tag + 4) + 7) & ~7) {
    types.push(at.memory.read32(tag));
  }
  assertEquals(types, [1, 2, 3, 4, 6, 0]);
});

Deno.test("loadKernel starts ELF kernels at their PVH or their own entry point", () => {
  const note = new Uint8Array(20);
  const view = new DataView(note.buffer);
  [4, 4, 18].forEach((value, i) => view.setUint32(i * 4, value, true));
  note.set(new TextEncoder().encode("Xen\0"), 12);
  view.setUint32(16, 0x100004, true);
  const at = target();
  const state = loadKernel(at, { image: elf(new Uint8Array(64), 64, note), commandLine: "pvh" });
  assertEquals(state.ip, 0x100004);
  const info = state.registers[Register.BX];
  assertEquals(at.memory.read32(info), 0x336ec578);
  assertEquals(text(at.memory, at.memory.read32(info + 24)), "pvh");
  assertEquals(loadKernel(target(), { image: elf(new Uint8Array(64)) }).ip, 0x100010);
  assertThrows(() => loadKernel(target(), { image: elf(new Uint8Array(64), 0x7000_0000) }), KernelMemoryError);
});

Deno.test("kernels of random bytes give a KernelError or load", () => {
  const random = new Random(99);
  const seeds: KernelImage[] = [
    { image: bzImage(3000) },
    { image: elf(multiboot(3)) },
    { image: multiboot(0x10003) },
    { image: elf(new Uint8Array(64), 64, new Uint8Array(64)) },
  ];
  const at = target(4);
  for (let round = 0; round < 3000; round++) {
    const image = seeds[round % seeds.length].image.slice(0, round % 7 === 0 ? random.below(4000) : undefined);
    for (let i = 0; i < 1 + random.below(8); i++) {
      if (image.length > 0) image[random.below(Math.min(image.length, 700))] = random.below(256);
    }
    try {
      loadKernel(at, { image, initrd: Uint8Array.of(1, 2, 3), commandLine: "x" });
    } catch (error) {
      assert(error instanceof KernelError, String(error));
    }
  }
});
