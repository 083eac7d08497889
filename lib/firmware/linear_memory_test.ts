import { assertEquals } from "@std/assert";
import { PhysicalMemory } from "../machine/memory.ts";
import type { CpuAccess } from "./cpu_access.ts";
import { LinearMemory } from "./linear_memory.ts";

function cpu(cr0: number, cr3: number, cr4: number): CpuAccess {
  return {
    get32: () => 0,
    set32: () => {},
    selector: () => 0,
    segmentBase: () => 0,
    setRealSegment: () => {},
    eflags: 2,
    stackSize: 16,
    cr0,
    cr3,
    cr4,
  };
}

function ram(): PhysicalMemory {
  const memory = new PhysicalMemory({ ram: 1 << 22, extra: 0 });
  memory.mapRam(0, 1 << 22, 0);
  return memory;
}

Deno.test("LinearMemory is physical memory without paging", () => {
  const memory = ram(), linear = new LinearMemory(memory, cpu(0, 0, 0));
  linear.write32(0x1234, 0xdeadbeef);
  assertEquals(memory.read32(0x1234), 0xdeadbeef);
});

Deno.test("LinearMemory follows 32-bit page tables, marks pages, and survives holes", () => {
  const memory = ram(), linear = new LinearMemory(memory, cpu(0x80000001, 0x1000, 0x10));
  memory.write32(0x1000, 0x2007);
  memory.write32(0x1004, 0x0087);
  memory.write32(0x2000 + 5 * 4, 0x9007);
  linear.write16(0x5ffe, 0xabcd);
  assertEquals(memory.read16(0x9ffe), 0xabcd);
  assertEquals(memory.read32(0x2000 + 5 * 4), 0x9067);
  linear.write(0x5fff, Uint8Array.of(1, 2, 3));
  assertEquals([memory.read8(0x9fff), linear.read8(0x6000)], [1, 0xff]);
  assertEquals(linear.translate(0x400000 + 0x12345), 0x12345);
});

Deno.test("LinearMemory follows PAE page tables", () => {
  const memory = ram(), linear = new LinearMemory(memory, cpu(0x80000001, 0x1000, 0x20));
  memory.write32(0x1000, 0x2001);
  memory.write32(0x2000, 0x3003);
  memory.write32(0x2008, 0x200083);
  memory.write32(0x3000 + 8 * 7, 0x8003);
  assertEquals(linear.translate(0x7123), 0x8123);
  assertEquals(linear.translate(0x200000 + 0x4567), 0x204567);
  assertEquals(linear.translate(0x8000), -1);
});
