/** CPUID, from the processor model. Intel SDM vol. 2A, CPUID. */
import type { CpuCore } from "../core.ts";
import { CR4, R, S } from "../state.ts";
import { CpuidWord, FEATURE_NAMES, FEATURES } from "./feature_table.ts";
import { type CpuModel, hasFeature, hasLongMode } from "./model.ts";
import { AREA_BYTES, supportedComponents } from "./xsave.ts";

/** EAX, EBX, ECX and EDX. */
type Leaf = readonly [number, number, number, number];

const NOTHING: Leaf = [0, 0, 0, 0];

function ascii(text: string, offset: number): number {
  let value = 0;
  for (let i = 0; i < 4; i++) value |= (offset + i < text.length ? text.charCodeAt(offset + i) : 0) << (8 * i);
  return value;
}

/** The feature bits that a model has in one register of one leaf. */
function featureBits(model: CpuModel, word: string): number {
  let bits = 0;
  for (const feature of FEATURE_NAMES) {
    const info = FEATURES[feature];
    if (info.word === word && hasFeature(model, feature)) bits |= 1 << info.bit;
  }
  return bits;
}

/**
 * Cache and TLB descriptors of leaf 2. The low byte of EAX is the number of calls needed; 50h: 64 instruction TLB entries;
 * 2Ch and 30h: 32 KiB of data and instruction cache, 7Dh: 2 MiB of second-level cache. Table 3-12.
 */
const LEAF2: Leaf = [0x0000_5001, 0, 0, 0x002c_307d];
/** CLFLUSH covers 64 bytes: in units of 8 in bits 8–15 of leaf 1, EBX. */
const CLFLUSH_UNITS = 8;

/** The caches of leaf 2 as leaf 4 describes them: type (1 data, 2 instruction, 3 both), level, ways, sets. */
const CACHES = [[1, 1, 8, 64], [2, 1, 8, 64], [3, 2, 8, 4096]] as const;
const LINE_BYTES = 64;

/** Leaf 4: deterministic cache parameters. The caches initialise themselves (bit 8 of EAX). */
function cacheLeaf(index: number): Leaf {
  if (index >= CACHES.length) return NOTHING;
  const [type, level, ways, sets] = CACHES[index];
  return [type | level << 5 | 1 << 8, (LINE_BYTES - 1) | (ways - 1) << 22, sets - 1, 0];
}

/** Leaf 1, ECX: the system has set CR4.OSXSAVE. */
const OSXSAVE = 1 << 27;

/** Leaf Dh: the components of XCR0, and the size of the XSAVE area, which is the same in both formats. */
function stateLeaf(core: CpuCore, subleaf: number): Leaf {
  if (subleaf === 0) return [supportedComponents(core), AREA_BYTES, AREA_BYTES, 0];
  if (subleaf !== 1) return NOTHING;
  return [featureBits(core.model, CpuidWord.LD1_EAX), hasFeature(core.model, "xsavec") ? AREA_BYTES : 0, 0, 0];
}

/** The highest basic leaf: the one that the model's features need. */
function highestLeaf(model: CpuModel): number {
  if (hasFeature(model, "xsave")) return 0xd;
  const leaf7 = [CpuidWord.L7_EBX, CpuidWord.L7_ECX, CpuidWord.L7_EDX].some((word) => featureBits(model, word) !== 0);
  if (leaf7) return 7;
  return hasFeature(model, "cmov") ? 2 : 1;
}

/** What identifies a model's processors: EAX and EDX of leaf 1. */
export function identify(model: CpuModel): { signature: number; features: number } {
  return { signature: model.signature, features: featureBits(model, CpuidWord.L1_EDX) };
}

function basicLeaf(core: CpuCore, leaf: number, subleaf: number): Leaf {
  const { model } = core;
  switch (leaf) {
    case 0:
      return [highestLeaf(model), ascii(model.vendor, 0), ascii(model.vendor, 8), ascii(model.vendor, 4)];
    case 1: {
      const clflush = hasFeature(model, "clflush") ? CLFLUSH_UNITS << 8 : 0;
      const inUse = (core.r.i32(S.CR4) & CR4.OSXSAVE) !== 0 ? OSXSAVE : 0;
      // The local APIC is there as long as IA32_APIC_BASE has it enabled.
      const absent = core.bus.localApic?.enabled === true ? 0 : 1 << FEATURES.apic.bit;
      const { signature, features } = identify(model);
      return [signature, clflush, featureBits(model, CpuidWord.L1_ECX) | inUse, features & ~absent];
    }
    case 2:
      return LEAF2;
    case 4:
      return cacheLeaf(subleaf);
    case 7: {
      const bits = (word: string) => featureBits(model, word), last = bits(CpuidWord.L72_EDX) === 0 ? 0 : 2;
      if (subleaf === 2) return [0, 0, 0, bits(CpuidWord.L72_EDX)];
      if (subleaf !== 0) return NOTHING;
      return [last, bits(CpuidWord.L7_EBX), bits(CpuidWord.L7_ECX), bits(CpuidWord.L7_EDX)];
    }
    case 0xd:
      return stateLeaf(core, subleaf);
    default:
      return NOTHING;
  }
}

/** The highest extended leaf; 0 if there is none. */
function highestExtendedLeaf(model: CpuModel): number {
  if (model.brand !== "") return 0x8000_0008;
  if (featureBits(model, CpuidWord.EXT7_EDX) !== 0) return 0x8000_0007;
  const features = featureBits(model, CpuidWord.EXT1_ECX) | featureBits(model, CpuidWord.EXT1_EDX);
  return features !== 0 ? 0x8000_0001 : 0;
}

function extendedLeaf(model: CpuModel, leaf: number): Leaf {
  switch (leaf) {
    case 0x8000_0000:
      return [highestExtendedLeaf(model), 0, 0, 0];
    case 0x8000_0001:
      return [0, 0, featureBits(model, CpuidWord.EXT1_ECX), featureBits(model, CpuidWord.EXT1_EDX)];
    case 0x8000_0002:
    case 0x8000_0003:
    case 0x8000_0004: {
      const [a, b, c, d] = [0, 4, 8, 12].map((i) => ascii(model.brand, ((leaf & 0xf) - 2) * 16 + i));
      return [a, b, c, d];
    }
    case 0x8000_0007:
      return [0, 0, 0, featureBits(model, CpuidWord.EXT7_EDX)];
    case 0x8000_0008:
      return [model.physicalBits | (hasLongMode(model) ? model.linearBits : 32) << 8, 0, 0, 0];
    default:
      return NOTHING;
  }
}

/** What CPUID gives for a leaf: beyond the last basic or extended one, the data of the highest basic leaf. */
function cpuidLeaf(core: CpuCore, leaf: number, subleaf: number): Leaf {
  const { model } = core;
  if (leaf >= 0x8000_0000 && leaf <= highestExtendedLeaf(model)) return extendedLeaf(model, leaf);
  return basicLeaf(core, Math.min(leaf, highestLeaf(model)), subleaf);
}

/** CPUID. */
export function cpuid(core: CpuCore): void {
  const [eax, ebx, ecx, edx] = cpuidLeaf(core, core.r.get32(R.AX), core.r.get32(R.CX));
  core.r.set32(R.AX, eax);
  core.r.set32(R.BX, ebx);
  core.r.set32(R.CX, ecx);
  core.r.set32(R.DX, edx);
}
