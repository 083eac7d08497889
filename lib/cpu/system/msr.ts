/** Model-specific registers: RDMSR and WRMSR. Intel SDM vol. 4. Registers that do not exist raise #GP(0). */
import type { CpuCore } from "../core.ts";
import { CR0, EFER, R, S, Seg, Vector } from "../state.ts";
import { requireRing0, setSegmentBase } from "./control.ts";
import type { Feature } from "./feature_table.ts";
import { hasFeature, hasLongMode } from "./model.ts";

/** One register: how it is read, and written where that is allowed. */
interface Msr {
  read(core: CpuCore): bigint;
  /** Raises #GP(0) on a reserved bit. */
  write(core: CpuCore, value: bigint): void;
}

function refuse(core: CpuCore): never {
  return core.raise(Vector.GP, 0);
}

/** A register of the state block whose writable bits are `mask`; others must be written as 0. */
function field(offset: number, mask = 0xffff_ffff_ffff_ffffn): Msr {
  return {
    read: (core) => core.r.u64(offset),
    write: (core, value) => (value & ~mask) === 0n ? core.r.setU64(offset, value) : refuse(core),
  };
}

/** A register that always reads `value` and ignores writes. */
function fixed(value: bigint): Msr {
  return { read: () => value, write: () => {} };
}

/** A register that cannot be written. */
function readOnly(value: bigint): Msr {
  return { read: () => value, write: refuse };
}

/** A register of the state block that holds an address, canonical where long mode exists. */
function address(offset: number): Msr {
  return {
    read: (core) => core.r.u64(offset),
    write: (core, value) => {
      if (hasLongMode(core.model) && BigInt.asUintN(64, BigInt.asIntN(48, value)) !== value) refuse(core);
      core.r.setU64(offset, hasLongMode(core.model) ? value : value & 0xffff_ffffn);
    },
  };
}

/** The base of FS or GS. */
function segmentBase(segment: number): Msr {
  return {
    read: (core) => BigInt.asUintN(64, BigInt(core.r.segmentBase(segment))),
    write: (core, value) => {
      if (BigInt.asUintN(64, BigInt.asIntN(48, value)) !== value) refuse(core);
      setSegmentBase(core, segment, Number(BigInt.asIntN(64, value)));
      core.modeChanged();
    },
  };
}

/** Memory types: UC WC WT WP WB; UC- exists in the PAT only. Vol. 3A, table 12-10. */
function validMemoryTypes(value: bigint, count: number, pat: boolean): boolean {
  for (let i = 0; i < count; i++) {
    const type = Number((value >> BigInt(8 * i)) & 0xffn);
    if (type > (pat ? 7 : 6) || type === 2 || type === 3) return false;
  }
  return true;
}

const tsc: Msr = {
  read: (core) => BigInt.asUintN(64, BigInt(core.bus.timestamp()) + core.r.u64(S.TSC_OFFSET)),
  write: (core, value) => {
    core.r.setU64(S.TSC_OFFSET, BigInt.asUintN(64, value - BigInt(core.bus.timestamp())));
    const deadline = core.bus.localApic?.deadline ?? 0n;
    if (deadline !== 0n) armDeadline(core, deadline);
  },
};

const efer: Msr = {
  read: (core) => core.r.u64(S.EFER),
  write: (core, value) => {
    const r = core.r, model = core.model;
    let legal = 0;
    if (hasFeature(model, "nx")) legal |= EFER.NXE;
    if (hasFeature(model, "syscall")) legal |= EFER.SCE;
    if (hasLongMode(model)) legal |= EFER.LME;
    const old = r.i32(S.EFER);
    // LMA follows LME and CR0.PG; software's value for it is ignored.
    const next = Number(value & ~BigInt(EFER.LMA) & 0xffff_ffffn) | (old & EFER.LMA);
    if (value >> 32n !== 0n || (next & ~(legal | EFER.LMA)) !== 0) refuse(core);
    if (((old ^ next) & EFER.LME) !== 0 && (r.i32(S.CR0) & CR0.PG) !== 0) refuse(core);
    r.setNumber(S.EFER, next);
    core.flushTlb();
    core.modeChanged();
  },
};

const pat: Msr = {
  read: (core) => core.r.u64(S.PAT),
  write: (core, value) => validMemoryTypes(value, 8, true) ? core.r.setU64(S.PAT, value) : refuse(core),
};

const mtrrDefaultType: Msr = {
  read: (core) => core.r.u64(S.MTRR_DEF_TYPE),
  write: (core, value) => {
    if ((value & ~0xcffn) !== 0n || !validMemoryTypes(value & 0xffn, 1, false)) refuse(core);
    core.r.setU64(S.MTRR_DEF_TYPE, value);
  },
};

function mtrrFixed(offset: number): Msr {
  return {
    read: (core) => core.r.u64(offset),
    write: (core, value) => validMemoryTypes(value, 8, false) ? core.r.setU64(offset, value) : refuse(core),
  };
}

function mtrrVariable(offset: number, mask: boolean): Msr {
  return {
    read: (core) => core.r.u64(offset),
    write: (core, value) => {
      if (value >> BigInt(core.model.physicalBits) !== 0n) refuse(core);
      const reserved = mask ? 0x7ffn : 0xf00n;
      if ((value & reserved) !== 0n || (!mask && !validMemoryTypes(value & 0xffn, 1, false))) refuse(core);
      core.r.setU64(offset, value);
    },
  };
}

/** Reserved bits of IA32_APIC_BASE below the address; bit 10 would be x2APIC mode. */
const APIC_BASE_RESERVED = 0x6ffn;

const apicBase: Msr = {
  read: (core) => core.bus.localApic === undefined ? core.r.u64(S.APIC_BASE) : BigInt(core.bus.localApic.base),
  write: (core, value) => {
    if ((value & APIC_BASE_RESERVED) !== 0n || value >> BigInt(core.model.physicalBits) !== 0n) refuse(core);
    // Without a local APIC there is nothing to enable: the enable bit stays 0.
    if (core.bus.localApic !== undefined) core.bus.localApic.base = Number(value);
    else core.r.setU64(S.APIC_BASE, (core.r.u64(S.APIC_BASE) & 0xfffn) | (value & ~0xfffn));
  },
};

const tscDeadline: Msr = {
  read: (core) => core.bus.localApic?.deadline ?? 0n,
  write: (core, value) => armDeadline(core, value),
};

/** Arms the local APIC's timer for a value of the time-stamp counter. */
function armDeadline(core: CpuCore, value: bigint): void {
  core.bus.localApic?.setDeadline(value, Number(BigInt.asIntN(64, value - core.r.u64(S.TSC_OFFSET))));
}

/** Only the selector in the lower half matters; the rest is ignored. */
const sysenterCs: Msr = {
  read: (core) => core.r.u64(S.SYSENTER_CS),
  write: (core, value) => core.r.setU64(S.SYSENTER_CS, value & 0xffff_ffffn),
};

/** Bits of IA32_SPEC_CTRL. */
const SPEC_CTRL_IBRS = 1n << 0n, SPEC_CTRL_BHI_DIS_S = 1n << 10n;
/** Bit of IA32_PRED_CMD. */
const PRED_CMD_IBPB = 1n;

const specCtrl: Msr = {
  read: (core) => core.r.u64(S.SPEC_CTRL),
  write: (core, value) => {
    const legal = SPEC_CTRL_IBRS | (hasFeature(core.model, "bhi-ctrl") ? SPEC_CTRL_BHI_DIS_S : 0n);
    if ((value & ~legal) !== 0n) refuse(core);
    core.r.setU64(S.SPEC_CTRL, value);
  },
};

/** IA32_PRED_CMD, which cannot be read. There is nothing to predict, and so nothing to forget. */
const predictorCommand: Msr = {
  read: refuse,
  write: (core, value) => {
    if ((value & ~PRED_CMD_IBPB) !== 0n) refuse(core);
  },
};

/**
 * IA32_ARCH_CAPABILITIES: nothing is executed speculatively, so that nothing can be learned from it. Bits RDCL_NO, SKIP_L1DFL,
 * SSB_NO, MDS_NO, IF_PSCHANGE_MC_NO, TAA_NO, SBDR_SSDP_NO, FBSDP_NO, PSDP_NO, BHI_NO, PBRSB_NO, GDS_NO, RFDS_NO and ITS_NO.
 */
const NOTHING_LEAKS = [0, 3, 4, 5, 6, 8, 13, 14, 15, 20, 24, 26, 27, 62]
  .reduce((bits, bit) => bits | (1n << BigInt(bit)), 0n);
/** IBRS may stay set. */
const IBRS_ALL = 1n << 1n;

const archCapabilities: Msr = {
  read: (core) => NOTHING_LEAKS | (hasFeature(core.model, "spec-ctrl") ? IBRS_ALL : 0n),
  write: refuse,
};

const VARIABLE_MTRRS = 8;
/** MTRR_CAP: eight variable ranges, fixed ranges, write-combining. */
const MTRR_CAP = 0x500n | BigInt(VARIABLE_MTRRS);
const FIXED_MTRRS = [0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f];

const mtrrs: readonly (readonly [number, Msr])[] = [
  [0x0fe, readOnly(MTRR_CAP)],
  ...Array.from({ length: VARIABLE_MTRRS }, (_, i): (readonly [number, Msr])[] => [
    [0x200 + 2 * i, mtrrVariable(S.MTRR_VARIABLE + 16 * i, false)],
    [0x201 + 2 * i, mtrrVariable(S.MTRR_VARIABLE + 16 * i + 8, true)],
  ]).flat(),
  ...FIXED_MTRRS.map((number, i) => [number, mtrrFixed(S.MTRR_FIXED + 8 * i)] as const),
  [0x2ff, mtrrDefaultType],
];

/** The registers by the features that bring them: a model with one of these has them. */
const GROUPS: readonly (readonly [readonly Feature[], readonly (readonly [number, Msr])[]])[] = [
  [["tsc"], [[0x010, tsc]]],
  // What every processor since the P6 has.
  [["cmov"], [
    // IA32_PLATFORM_ID and EBL_CR_POWERON: no information.
    [0x017, readOnly(0n)],
    [0x02a, fixed(0n)],
    [0x01b, apicBase],
    // IA32_BIOS_UPDT_TRIG and IA32_BIOS_SIGN_ID: no microcode is ever loaded.
    [0x079, fixed(0n)],
    [0x08b, fixed(0n)],
    [0x1a0, field(S.MISC_ENABLE)],
  ]],
  [["spec-ctrl"], [[0x048, specCtrl], [0x049, predictorCommand]]],
  [["arch-capabilities"], [[0x10a, archCapabilities]]],
  [["mtrr"], mtrrs],
  [["sep"], [[0x174, sysenterCs], [0x175, address(S.SYSENTER_ESP)], [0x176, address(S.SYSENTER_EIP)]]],
  [["pat"], [[0x277, pat]]],
  [["nx", "syscall", "lm"], [[0xc000_0080, efer]]],
  [["syscall"], [
    [0xc000_0081, field(S.STAR)],
    [0xc000_0082, address(S.LSTAR)],
    [0xc000_0083, address(S.CSTAR)],
    [0xc000_0084, field(S.FMASK, 0xffff_ffffn)],
  ]],
  [["lm"], [
    [0xc000_0100, segmentBase(Seg.FS)],
    [0xc000_0101, segmentBase(Seg.GS)],
    [0xc000_0102, address(S.KERNEL_GS_BASE)],
  ]],
  [["tsc-deadline"], [[0x6e0, tscDeadline]]],
  [["rdtscp"], [[0xc000_0103, field(S.TSC_AUX, 0xffff_ffffn)]]],
];

const registers = new Map(
  GROUPS.flatMap(([features, group]) => group.map(([number, register]) => [number, { features, register }] as const)),
);

/** The register that ECX names; #GP(0) if the model has none. */
function find(core: CpuCore): Msr {
  requireRing0(core);
  const found = registers.get(core.r.get32(R.CX));
  if (found === undefined || !found.features.some((feature) => hasFeature(core.model, feature))) refuse(core);
  return found.register;
}

/** RDMSR. */
export function readMsr(core: CpuCore): void {
  const value = find(core).read(core);
  core.r.set32(R.AX, Number(value & 0xffff_ffffn));
  core.r.set32(R.DX, Number(value >> 32n));
}

/** WRMSR. */
export function writeMsr(core: CpuCore): void {
  const value = (BigInt(core.r.get32(R.DX)) << 32n) | BigInt(core.r.get32(R.AX));
  find(core).write(core, value);
}
