/** CPUID, from the processor model. Intel SDM vol. 2A, CPUID. */
import type { CpuCore } from "../core.ts";
import { R } from "../state.ts";
import { Feature1Edx, hasLongMode } from "./model.ts";

function ascii(text: string, offset: number): number {
  let value = 0;
  for (let i = 0; i < 4; i++) value |= (offset + i < text.length ? text.charCodeAt(offset + i) : 0) << (8 * i);
  return value;
}

/**
 * Cache and TLB descriptors of leaf 2. The low byte of EAX is the number of calls needed; 50h: 64 instruction TLB entries;
 * 2Ch and 30h: 32 KiB of data and instruction cache, 7Dh: 2 MiB of second-level cache. Table 3-12.
 */
const LEAF2_EAX = 0x0000_5001, LEAF2_EDX = 0x002c_307d;
/** CLFLUSH covers 64 bytes: in units of 8 in bits 8–15 of leaf 1, EBX. */
const CLFLUSH_UNITS = 8;

/** What CPUID puts into EAX, EBX, ECX and EDX for a leaf. */
function cpuidLeaf(core: CpuCore, leaf: number): [number, number, number, number] {
  const model = core.model;
  switch (leaf >>> 0) {
    case 0:
      return [2, ascii(model.vendor, 0), ascii(model.vendor, 8), ascii(model.vendor, 4)];
    case 1: {
      const clflush = (model.features1Edx & Feature1Edx.CLFLUSH) !== 0 ? CLFLUSH_UNITS << 8 : 0;
      return [model.signature, clflush, model.features1Ecx, model.features1Edx];
    }
    case 0x8000_0000:
      return [0x8000_0008 | 0, 0, 0, 0];
    case 0x8000_0001:
      return [0, 0, model.featuresExtendedEcx, model.featuresExtendedEdx];
    case 0x8000_0002:
    case 0x8000_0003:
    case 0x8000_0004: {
      const at = ((leaf & 0xf) - 2) * 16;
      return [
        ascii(model.brand, at),
        ascii(model.brand, at + 4),
        ascii(model.brand, at + 8),
        ascii(model.brand, at + 12),
      ];
    }
    case 0x8000_0008:
      return [model.physicalBits | (hasLongMode(model) ? model.linearBits : 32) << 8, 0, 0, 0];
    case 0x8000_0005:
    case 0x8000_0006:
    case 0x8000_0007:
      return [0, 0, 0, 0];
    default:
      // Leaf 2, and any leaf beyond the last: the data of the highest basic leaf.
      return [LEAF2_EAX, 0, 0, LEAF2_EDX];
  }
}

/** CPUID. */
export function cpuid(core: CpuCore): void {
  const [eax, ebx, ecx, edx] = cpuidLeaf(core, core.r.get32(R.AX));
  core.r.set32(R.AX, eax);
  core.r.set32(R.BX, ebx);
  core.r.set32(R.CX, ecx);
  core.r.set32(R.DX, edx);
}
