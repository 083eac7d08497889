import { assertEquals } from "@std/assert";
import { CR0, CR4, EFER, S, Vector } from "../state.ts";
import { pdptesValid, walk } from "./paging.ts";
import { At, faultOf, ProtectedBoard } from "./test_tables.ts";

const P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80;
const LINEAR = 0x40_3004;
const TABLE = At.PAGES + 0x1000;

/** 32-bit paging; LINEAR is mapped by PDE 1 and PTE 3. */
function paged(pde: number, pte: number, cr0: number = CR0.WP, cr4 = 0): ProtectedBoard {
  const b = new ProtectedBoard();
  b.write32(At.PAGES + 4, pde);
  b.write32(TABLE + 12, pte);
  b.r.setNumber(S.CR3, At.PAGES);
  b.r.setNumber(S.CR4, cr4);
  b.r.setNumber(S.CR0, (CR0.PE | CR0.PG | cr0) >>> 0);
  return b;
}

/** PAE paging; LINEAR is mapped by PDE 2 and PTE 3 of the first table. */
function wide(pde: bigint, pte: bigint, nxe: boolean): ProtectedBoard {
  const b = paged(0, 0, CR0.WP, CR4.PAE);
  const { view } = b.board.memory;
  view.setBigUint64(At.PAGES, BigInt(TABLE) | 1n, true);
  view.setBigUint64(TABLE + 16, pde, true);
  view.setBigUint64(TABLE + 0x1000 + 24, pte, true);
  b.r.setNumber(S.EFER, nxe ? EFER.NXE : 0);
  return b;
}

const NX = 1n << 63n;
const PDE = BigInt(TABLE + 0x1000) | 7n;

Deno.test("walk: without paging every address is itself", () => {
  const { cpu } = new ProtectedBoard();
  const t = walk(cpu, 0xfedc_ba98, true, true, false);
  assertEquals([t.physical, t.writable, t.user, t.dirty, t.tableCount], [0xfedc_ba98, true, true, true, 0]);
});

Deno.test("walk: a page is found, its bits are set, its tables are named", () => {
  const b = paged(TABLE | P | W | U, 0x5000 | P | W | U);
  let t = walk(b.cpu, LINEAR, false, true, false);
  assertEquals([t.physical, t.writable, t.user, t.dirty], [0x5004, true, true, false]);
  assertEquals([...t.tables.subarray(0, t.tableCount)], [At.PAGES >> 12, TABLE >> 12]);
  assertEquals([b.read32(At.PAGES + 4) & (A | D), b.read32(TABLE + 12) & (A | D)], [A, A]);
  t = walk(b.cpu, LINEAR, true, true, false);
  assertEquals([t.dirty, b.read32(TABLE + 12) & (A | D)], [true, A | D]);
});

Deno.test("walk: error codes tell presence, write and privilege", () => {
  const cases: [number, number, boolean, boolean, number][] = [
    // pde, pte, write, user, code
    [0, 0, false, false, 0],
    [TABLE | P | W | U, 0, true, false, 2],
    [TABLE | P | W | U, 0x5000, false, true, 4],
    [TABLE | P | W | U, 0x5000 | P | U, true, true, 7],
    [TABLE | P | W, 0x5000 | P | W | U, false, true, 5],
    [TABLE | P | U, 0x5000 | P | W | U, true, false, 3],
  ];
  for (const [pde, pte, write, user, code] of cases) {
    const b = paged(pde, pte);
    assertEquals(faultOf(() => walk(b.cpu, LINEAR, write, user, false)), { vector: Vector.PF, code });
    assertEquals([b.read32(At.PAGES + 4), b.read32(TABLE + 12)], [pde, pte], "a fault changes no entry");
  }
});

Deno.test("walk: without CR0.WP the supervisor writes to read-only pages", () => {
  const b = paged(TABLE | P, 0x5000 | P, 0);
  assertEquals(walk(b.cpu, LINEAR, true, false, false).writable, true);
});

Deno.test("walk: 4 MiB pages, with the address bits of PSE-36 and a reserved bit", () => {
  let t = walk(paged(0x80_0000 | (5 << 13) | PS | P | W, 0, 0, CR4.PSE).cpu, LINEAR, false, false, false);
  assertEquals([t.physical, t.pageSize], [5 * 2 ** 32 + 0x80_3004, 0x40_0000]);
  const reserved = paged(0x80_0000 | (1 << 21) | PS | P | W, 0, 0, CR4.PSE);
  assertEquals(faultOf(() => walk(reserved.cpu, LINEAR, false, false, false)), { vector: Vector.PF, code: 9 });
  // Without CR4.PSE bit 7 means nothing.
  t = walk(paged(TABLE | PS | P | W, 0x5000 | P, 0).cpu, LINEAR, false, false, false);
  assertEquals(t.physical, 0x5004);
});

Deno.test("walk: PAE pages beyond 4 GiB and pages of 2 MiB", () => {
  let t = walk(wide(PDE, 0x3_0000_5007n, false).cpu, LINEAR, false, true, false);
  assertEquals([t.physical, t.tableCount], [0x3_0000_5004, 3]);
  t = walk(wide(0xa0_00e7n, 0n, false).cpu, LINEAR, true, true, false);
  assertEquals([t.physical, t.pageSize, t.dirty], [0xa0_3004, 0x20_0000, true]);
});

Deno.test("walk: execute-disable counts once EFER.NXE is set and is reserved before", () => {
  const fetch = (pte: bigint, nxe: boolean) => faultOf(() => walk(wide(PDE, pte, nxe).cpu, LINEAR, false, true, true));
  assertEquals(fetch(0x5007n | NX, true), { vector: Vector.PF, code: 0x15 });
  assertEquals(fetch(0x5007n | NX, false), { vector: Vector.PF, code: 0xd });
  assertEquals(fetch(0x5007n, true), null);
  assertEquals(walk(wide(PDE, 0x5007n | NX, true).cpu, LINEAR, false, true, false).noExecute, true);
});

Deno.test("walk: address bits that the processor does not have are reserved", () => {
  const b = wide(PDE, 0x5007n | (1n << 40n), true);
  assertEquals(faultOf(() => walk(b.cpu, LINEAR, true, false, false)), { vector: Vector.PF, code: 0xb });
});

Deno.test("walk: four levels with sign-extended addresses", () => {
  const b = paged(0, 0, CR0.WP, CR4.PAE), { view } = b.board.memory;
  b.r.setNumber(S.EFER, EFER.LME | EFER.LMA | EFER.NXE);
  // FFFF8000_00403004: PML4E 256, PDPTE 0, PDE 2, PTE 3.
  view.setBigUint64(At.PAGES + 256 * 8, BigInt(TABLE) | 7n, true);
  view.setBigUint64(TABLE, BigInt(TABLE + 0x1000) | 3n | NX, true);
  view.setBigUint64(TABLE + 0x1000 + 16, BigInt(TABLE + 0x2000) | 7n, true);
  view.setBigUint64(TABLE + 0x2000 + 24, 0x5007n, true);
  const linear = -(2 ** 47) + LINEAR;
  const t = walk(b.cpu, linear, true, false, false);
  assertEquals([t.physical, t.user, t.noExecute, t.tableCount], [0x5004, false, true, 4]);
  assertEquals(faultOf(() => walk(b.cpu, linear, false, true, false)), { vector: Vector.PF, code: 5 });
});

Deno.test("pdptesValid: reserved bits count in present entries only", () => {
  const b = paged(0, 0, 0, CR4.PAE), { view } = b.board.memory;
  view.setBigUint64(At.PAGES, 0x1e6n, true);
  assertEquals(pdptesValid(b.cpu, At.PAGES), true);
  view.setBigUint64(At.PAGES, 0x3n, true);
  assertEquals(pdptesValid(b.cpu, At.PAGES), false);
  view.setBigUint64(At.PAGES, (1n << 40n) | 1n, true);
  assertEquals(pdptesValid(b.cpu, At.PAGES), false);
});

Deno.test("walk: the A20 gate holds for the tables, too", () => {
  // The page directory is asked for at 11_0000h and read at 1_0000h.
  const b = paged(TABLE | P | W, 0x5000 | P | W);
  b.r.setNumber(S.CR3, At.PAGES + 0x10_0000);
  assertEquals(faultOf(() => walk(b.cpu, LINEAR, false, false, false)), { vector: Vector.PF, code: 0 });
  b.cpu.setA20(false);
  assertEquals(walk(b.cpu, LINEAR, false, false, false).physical, 0x5004);
});

Deno.test("tables in device memory are read again for every access", () => {
  const b = paged(TABLE | P | W, 0x5000 | P | W), { memory } = b.board;
  let target = 0x5000;
  memory.mapMmio(TABLE, 0x1000, {
    read: (address, size) => address === TABLE + 12 && size === 4 ? target | P | W : 0,
    write: () => {},
  });
  b.write32(0x5004, 5);
  b.write32(0x6004, 6);
  assertEquals(b.cpu.read32(LINEAR), 5);
  target = 0x6000;
  assertEquals(b.cpu.read32(LINEAR), 6);
  b.cpu.write32(LINEAR, 7);
  target = 0x5000;
  assertEquals([b.cpu.read32(LINEAR), b.read32(0x6004)], [5, 7]);
});
