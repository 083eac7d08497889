/** The formats of the page tables that CR3 points to. Intel SDM vol. 3A, sections 4.3 to 4.5. */
import { PAGE_SIZE } from "../machine/memory.ts";
import type { TableFormat } from "./mmu.ts";

/** Where a table is, from a value of CR3, and which of its entries maps a linear address. */
export interface TopLevelTable extends TableFormat {
  address(cr3: number): number;
  index(linear: number): number;
}

/** 32-bit paging: a page directory. */
export const LEGACY_TABLE: TopLevelTable = {
  bytes: 4,
  span: 2 ** 22,
  address: (cr3) => (cr3 & 0xfffff000) >>> 0,
  index: (linear) => linear >>> 22,
};

/** PAE paging: a page-directory-pointer table. */
export const PAE_TABLE: TopLevelTable = {
  bytes: 8,
  span: 2 ** 30,
  address: (cr3) => (cr3 & 0xffffffe0) >>> 0,
  index: (linear) => linear >>> 30,
};

/** 4-level paging: a PML4 table. */
export const LONG_TABLE: TopLevelTable = {
  bytes: 8,
  span: 2 ** 39,
  address: (cr3) => Math.floor((cr3 % 2 ** 52) / PAGE_SIZE) * PAGE_SIZE,
  index: (linear) => Math.floor(linear / 2 ** 39) & 0x1ff,
};
