/**
 * Processor models: what CPUID reports, and which control-register and model-specific bits exist. CPUID says exactly what
 * works. Leaves and feature bits: Intel SDM vol. 2A, CPUID.
 */

/** Feature bits of CPUID leaf 1, EDX. */
export const Feature1Edx = {
  FPU: 1 << 0,
  VME: 1 << 1,
  DE: 1 << 2,
  PSE: 1 << 3,
  TSC: 1 << 4,
  MSR: 1 << 5,
  PAE: 1 << 6,
  CX8: 1 << 8,
  APIC: 1 << 9,
  SEP: 1 << 11,
  MTRR: 1 << 12,
  PGE: 1 << 13,
  CMOV: 1 << 15,
  PAT: 1 << 16,
  PSE36: 1 << 17,
  CLFLUSH: 1 << 19,
  MMX: 1 << 23,
  FXSR: 1 << 24,
  SSE: 1 << 25,
  SSE2: 1 << 26,
} as const;

/** Feature bits of CPUID leaf 1, ECX. */
export const Feature1Ecx = {
  SSE3: 1 << 0,
  SSSE3: 1 << 9,
  /** CMPXCHG16B. */
  CX16: 1 << 13,
  SSE4_1: 1 << 19,
  SSE4_2: 1 << 20,
  MOVBE: 1 << 22,
  POPCNT: 1 << 23,
} as const;

/** Feature bits of CPUID leaf 80000001h, ECX. */
export const FeatureExtendedEcx = {
  /** LAHF and SAHF in 64-bit code. */
  LAHF64: 1 << 0,
  /** LZCNT. */
  ABM: 1 << 5,
  PREFETCHW: 1 << 8,
} as const;

/** Feature bits of CPUID leaf 80000001h, EDX. */
export const FeatureExtendedEdx = {
  SYSCALL: 1 << 11,
  NX: 1 << 20,
  LM: 1 << 29,
} as const;

/** One processor model. */
export interface CpuModel {
  /** Twelve characters of CPUID leaf 0. */
  readonly vendor: string;
  /** Up to 47 characters of CPUID leaves 80000002h–80000004h. */
  readonly brand: string;
  /** CPUID leaf 1, EAX: family, model and stepping. */
  readonly signature: number;
  /** CPUID leaf 1, EDX. */
  readonly features1Edx: number;
  /** CPUID leaf 1, ECX. */
  readonly features1Ecx: number;
  /** CPUID leaf 80000001h, EDX. */
  readonly featuresExtendedEdx: number;
  /** CPUID leaf 80000001h, ECX. */
  readonly featuresExtendedEcx: number;
  /** Physical address width in bits. */
  readonly physicalBits: number;
  /** Linear address width in bits. */
  readonly linearBits: number;
}

const F = Feature1Edx, C = Feature1Ecx;

/**
 * The model that a machine has unless told otherwise. x86-64-v2: a Pentium 4 with NX, long mode and the later SSE
 * extensions.
 */
export const defaultCpuModel: CpuModel = {
  vendor: "GenuineIntel",
  brand: "Bootwright Virtual x86 CPU",
  // Family 15, model 4, stepping 1.
  signature: 0x0f41,
  features1Edx: F.FPU | F.VME | F.DE | F.PSE | F.TSC | F.MSR | F.PAE | F.CX8 | F.SEP | F.MTRR | F.PGE | F.CMOV | F.PAT |
    F.PSE36 | F.CLFLUSH | F.MMX | F.FXSR | F.SSE | F.SSE2,
  features1Ecx: C.SSE3 | C.SSSE3 | C.CX16 | C.SSE4_1 | C.SSE4_2 | C.MOVBE | C.POPCNT,
  featuresExtendedEdx: FeatureExtendedEdx.NX | FeatureExtendedEdx.SYSCALL | FeatureExtendedEdx.LM,
  featuresExtendedEcx: FeatureExtendedEcx.LAHF64 | FeatureExtendedEcx.ABM | FeatureExtendedEcx.PREFETCHW,
  physicalBits: 36,
  linearBits: 48,
};

/** True if the model runs 64-bit code. */
export function hasLongMode(model: CpuModel): boolean {
  return (model.featuresExtendedEdx & FeatureExtendedEdx.LM) !== 0;
}
