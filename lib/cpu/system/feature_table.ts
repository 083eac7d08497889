/**
 * The features that a processor can have: their names, where CPUID reports them, and what they build on. Only what works
 * is in the list. Intel SDM vol. 2A, CPUID; the names are those that operating systems list.
 */

/** Where CPUID reports a feature: leaf, subleaf and register. */
export const CpuidWord = {
  L1_EDX: "1.edx",
  L1_ECX: "1.ecx",
  L7_EBX: "7.ebx",
  L7_ECX: "7.ecx",
  L7_EDX: "7.edx",
  /** Subleaf 2. */
  L72_EDX: "7.2.edx",
  /** Subleaf 1. */
  LD1_EAX: "d.1.eax",
  EXT1_ECX: "80000001.ecx",
  EXT1_EDX: "80000001.edx",
  EXT7_EDX: "80000007.edx",
  /** Not reported. */
  NONE: "none",
} as const;

type Word = typeof CpuidWord[keyof typeof CpuidWord];

/** What is to be known about a feature. */
export interface FeatureInfo {
  /** Where CPUID reports it. */
  readonly word: Word;
  /** Its bit there. */
  readonly bit: number;
  /** Features without which it makes no sense, by name. */
  readonly needs: readonly string[];
}

function feature(word: Word, bit: number, needs = ""): FeatureInfo {
  return { word, bit, needs: needs === "" ? [] : needs.split(" ") };
}

const W = CpuidWord;

const TABLE = {
  /** The CPUID instruction and EFLAGS.ID. */
  cpuid: feature(W.NONE, 0),
  fpu: feature(W.L1_EDX, 0),
  /** Virtual-8086 mode extensions: CR4.VME and PVI, EFLAGS.VIF and VIP. */
  vme: feature(W.L1_EDX, 1),
  /** I/O breakpoints' CR4.DE. */
  de: feature(W.L1_EDX, 2),
  pse: feature(W.L1_EDX, 3),
  tsc: feature(W.L1_EDX, 4),
  msr: feature(W.L1_EDX, 5),
  pae: feature(W.L1_EDX, 6),
  /** CMPXCHG8B. */
  cx8: feature(W.L1_EDX, 8),
  /** The local APIC. */
  apic: feature(W.L1_EDX, 9, "msr"),
  /** SYSENTER and SYSEXIT. */
  sep: feature(W.L1_EDX, 11, "msr"),
  mtrr: feature(W.L1_EDX, 12, "msr"),
  pge: feature(W.L1_EDX, 13),
  /** CMOVcc, FCMOVcc and FCOMI, and with them what else came with the P6: RDPMC, hints that do nothing. */
  cmov: feature(W.L1_EDX, 15),
  pat: feature(W.L1_EDX, 16, "msr"),
  pse36: feature(W.L1_EDX, 17, "pse"),
  clflush: feature(W.L1_EDX, 19),
  mmx: feature(W.L1_EDX, 23),
  fxsr: feature(W.L1_EDX, 24),
  sse: feature(W.L1_EDX, 25, "fxsr mmx"),
  sse2: feature(W.L1_EDX, 26, "sse"),
  sse3: feature(W.L1_ECX, 0, "sse2"),
  pclmulqdq: feature(W.L1_ECX, 1, "sse2"),
  ssse3: feature(W.L1_ECX, 9, "sse3"),
  /** CMPXCHG16B. */
  cx16: feature(W.L1_ECX, 13, "cx8 lm"),
  pcid: feature(W.L1_ECX, 17, "lm"),
  "sse4.1": feature(W.L1_ECX, 19, "ssse3"),
  "sse4.2": feature(W.L1_ECX, 20, "sse4.1"),
  movbe: feature(W.L1_ECX, 22),
  popcnt: feature(W.L1_ECX, 23),
  /** The local APIC's timer can wait for a value of the time-stamp counter. */
  "tsc-deadline": feature(W.L1_ECX, 24, "apic tsc"),
  aes: feature(W.L1_ECX, 25, "sse2"),
  /** XSAVE and XRSTOR, XCR0; CPUID reports its use by the system (OSXSAVE) by itself. */
  xsave: feature(W.L1_ECX, 26, "fxsr"),
  rdrand: feature(W.L1_ECX, 30),
  fsgsbase: feature(W.L7_EBX, 0, "lm"),
  smep: feature(W.L7_EBX, 7),
  /** Fast REP MOVSB and STOSB. */
  erms: feature(W.L7_EBX, 9),
  invpcid: feature(W.L7_EBX, 10, "lm"),
  rdseed: feature(W.L7_EBX, 18),
  /** ADCX and ADOX. */
  adx: feature(W.L7_EBX, 19),
  smap: feature(W.L7_EBX, 20),
  clflushopt: feature(W.L7_EBX, 23, "clflush"),
  clwb: feature(W.L7_EBX, 24, "clflush"),
  sha: feature(W.L7_EBX, 29, "sse2"),
  umip: feature(W.L7_ECX, 2),
  xsaveopt: feature(W.LD1_EAX, 0, "xsave"),
  /** XSAVEC and the compacted format. */
  xsavec: feature(W.LD1_EAX, 1, "xsave"),
  /** XGETBV with ECX = 1. */
  xgetbv1: feature(W.LD1_EAX, 2, "xsave"),
  /** IA32_SPEC_CTRL and IA32_PRED_CMD, by which systems keep predictors in check that there are none of here. */
  "spec-ctrl": feature(W.L7_EDX, 26, "msr"),
  /** BHI_DIS_S in IA32_SPEC_CTRL, which spares systems to do in software what it would do. */
  "bhi-ctrl": feature(W.L72_EDX, 4, "spec-ctrl"),
  /** IA32_ARCH_CAPABILITIES, which says that what leaks in other processors does not leak here. */
  "arch-capabilities": feature(W.L7_EDX, 29, "msr"),
  /** LAHF and SAHF in 64-bit code. */
  "lahf-lm": feature(W.EXT1_ECX, 0, "lm"),
  /** LZCNT, where others execute BSR. */
  lzcnt: feature(W.EXT1_ECX, 5),
  prefetchw: feature(W.EXT1_ECX, 8, "lm"),
  syscall: feature(W.EXT1_EDX, 11, "msr"),
  nx: feature(W.EXT1_EDX, 20, "pae msr"),
  /** Pages of 1 GiB. */
  pdpe1gb: feature(W.EXT1_EDX, 26, "lm"),
  rdtscp: feature(W.EXT1_EDX, 27, "tsc msr"),
  /** Long mode. */
  lm: feature(W.EXT1_EDX, 29, "pae cx8 cmov msr sse2 syscall"),
  /** The time-stamp counter runs at a constant rate, in HLT too. */
  invtsc: feature(W.EXT7_EDX, 8, "tsc"),
  /** TZCNT, where others execute BSF. CPUID reports it with the other instructions of BMI1, which there are none of. */
  tzcnt: feature(W.NONE, 0),
} as const satisfies Record<string, FeatureInfo>;

/** The name of a feature. */
export type Feature = keyof typeof TABLE;

/** All features. */
export const FEATURES: Readonly<Record<Feature, FeatureInfo>> = TABLE;

/** The names of all features. */
export const FEATURE_NAMES: readonly Feature[] = Object.keys(TABLE) as Feature[];

/** Other names that people know features by. */
const ALIASES: Readonly<Record<string, Feature>> = {
  abm: "lzcnt",
  "3dnowprefetch": "prefetchw",
  "aes-ni": "aes",
  cmpxchg16b: "cx16",
  cmpxchg8b: "cx8",
  lahf: "lahf-lm",
  pclmul: "pclmulqdq",
  pni: "sse3",
  "sha-ni": "sha",
  "sse4-1": "sse4.1",
  "sse4-2": "sse4.2",
  xd: "nx",
};

/** The feature of that name, in any spelling that is common (`sse4_2`, `SSE4.2`, `pclmul` …). */
export function featureNamed(name: string): Feature | undefined {
  const plain = name.toLowerCase().replaceAll("_", "-");
  if (Object.hasOwn(FEATURES, plain)) return plain as Feature;
  return Object.hasOwn(ALIASES, plain) ? ALIASES[plain] : undefined;
}
