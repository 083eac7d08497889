import { assert, assertEquals, assertThrows } from "@std/assert";
import { parseCpuModel } from "../cpu/system/model.ts";
import { memoryMap, RangeType } from "../firmware/memory_map.ts";
import { Machine } from "./machine.ts";
import { PAGE_SIZE, PageKind } from "./memory.ts";

const MIB = 1024 * 1024, FOUR_GIB = 4096 * MIB;

/** Usable RAM by the map that programs are told, as [first, last] in MiB, rounded. */
function usable(low: number, high: number): number[][] {
  return memoryMap({ low, high }).filter(({ type, base }) => type === RangeType.RAM && base >= MIB)
    .map(({ base, length }) => [base / MIB, Math.ceil((base + length) / MIB)]);
}

Deno.test("RAM of 3 GiB lies below the PCI hole, what is beyond 3.5 GiB above 4 GiB", () => {
  const kind = (machine: Machine, address: number) => machine.memory.kind(address / PAGE_SIZE);
  const three = new Machine({ memory: 3072 * MIB });
  assertEquals(three.board.ram, { low: 3072 * MIB, high: 0 });
  assertEquals([kind(three, 3071 * MIB), kind(three, 3072 * MIB)], [PageKind.RAM, PageKind.NONE]);
  const most = new Machine({ memory: 3964 * MIB });
  assertEquals(most.board.ram, { low: 3584 * MIB, high: 380 * MIB });
  const last = FOUR_GIB + 379 * MIB;
  assertEquals([3583 * MIB, FOUR_GIB, last, last + MIB].map((address) => kind(most, address)), [
    PageKind.RAM,
    PageKind.RAM,
    PageKind.RAM,
    PageKind.NONE,
  ]);
  most.memory.write32(last, 0x1234_5678);
  assertEquals([most.memory.read32(last), most.memory.read32(3583 * MIB)], [0x1234_5678, 0]);
  assertEquals(usable(3072 * MIB, 0), [[1, 3072]]);
  assertEquals(usable(3584 * MIB, 380 * MIB), [[1, 3584], [4096, 4476]]);
});

Deno.test("more RAM than one WebAssembly memory holds is refused with the reason", () => {
  const error = assertThrows(() => new Machine({ memory: 3965 * MIB }), RangeError, "3964 MiB");
  assert(error.message.includes("WebAssembly memory"));
});

Deno.test("a processor without a local APIC is on a board without APICs", () => {
  const old = new Machine({ memory: 4 * MIB, cpuModel: parseCpuModel("i486") });
  assertEquals([old.board.localApic, old.board.ioApic, old.memory.read32(0xfee0_0030)], [null, null, 0xffff_ffff]);
  const machine = new Machine({ memory: 4 * MIB });
  assertEquals([machine.memory.read32(0xfee0_0030), machine.memory.read32(0xfec0_0000)], [0x5_0014, 0]);
});
