/**
 * Processor models: which features there are, and how CPUID identifies the processor. CPUID says exactly what works, and
 * what it does not announce raises #UD or is reserved.
 */
import { Flag } from "../state.ts";
import { type Feature, FEATURE_NAMES, featureNamed, FEATURES } from "./feature_table.ts";

/** One processor model. */
export interface CpuModel {
  /** The name of the model that {@link features} were taken from, one of {@link MODEL_NAMES}. */
  readonly name: string;
  readonly features: ReadonlySet<Feature>;
  /** Twelve characters of CPUID leaf 0. */
  readonly vendor: string;
  /** Up to 47 characters of CPUID leaves 80000002h–80000004h; "" for processors without them. */
  readonly brand: string;
  /** CPUID leaf 1, EAX: family, model and stepping. */
  readonly signature: number;
  /** Physical address width in bits. */
  readonly physicalBits: number;
  /** Linear address width in bits. */
  readonly linearBits: number;
}

/** A processor was asked for by a model name or a feature that there is none of. */
export class UnknownCpuError extends RangeError {
  override readonly name = "UnknownCpuError";

  /**
   * @param kind what the name should be of.
   * @param unknown the name.
   * @param known the names that there are.
   */
  constructor(readonly kind: "model" | "feature", readonly unknown: string, readonly known: readonly string[]) {
    super(`there is no processor ${kind} "${unknown}"; known are ${known.join(", ")}`);
  }
}

interface ModelInfo {
  readonly features: readonly Feature[];
  readonly signature: number;
  readonly brand: boolean;
  readonly physicalBits: number;
}

const list = (names: string) => names.split(" ").map((name) => featureNamed(name) as Feature);

const I486 = list("cpuid fpu vme");
const PENTIUM3 = [...I486, ...list("de pse tsc msr pae cx8 apic sep mtrr pge cmov pat pse36 mmx fxsr sse")];
const X86_64 = [...PENTIUM3, ...list("clflush sse2 syscall nx lm spec-ctrl bhi-ctrl arch-capabilities")];
const X86_64_V2 = [...X86_64, ...list("sse3 ssse3 sse4.1 sse4.2 popcnt cx16 lahf-lm tsc-deadline")];

/**
 * The levels of the x86-64 psABI present themselves as a Pentium 4 with long mode: systems expect no errata and no special
 * registers of it that would have to be there.
 */
const MODELS: Readonly<Record<string, ModelInfo>> = {
  /** DX4 with CPUID: family 4, model 8. */
  i486: { features: I486, signature: 0x0480, brand: false, physicalBits: 32 },
  /** Coppermine: family 6, model 8, stepping 3. */
  pentium3: { features: PENTIUM3, signature: 0x0683, brand: false, physicalBits: 36 },
  /** Family 15, model 4, stepping 1, as the following ones. */
  "x86-64": { features: X86_64, signature: 0x0f41, brand: true, physicalBits: 36 },
  "x86-64-v2": { features: X86_64_V2, signature: 0x0f41, brand: true, physicalBits: 36 },
  /** Everything that there is. */
  max: { features: FEATURE_NAMES, signature: 0x0f41, brand: true, physicalBits: 36 },
};

/** The names of the models. */
export const MODEL_NAMES: readonly string[] = Object.keys(MODELS);

/** The model that a machine has unless told otherwise. */
export const DEFAULT_MODEL_NAME = "x86-64-v2";

/**
 * The model `name` with exactly these features.
 *
 * @throws UnknownCpuError naming the model or the feature that there is none of.
 */
export function cpuModelOf(name: string, features: readonly string[]): CpuModel {
  const info = Object.hasOwn(MODELS, name) ? MODELS[name] : undefined;
  if (info === undefined) throw new UnknownCpuError("model", name, MODEL_NAMES);
  const unknown = features.find((feature) => !Object.hasOwn(FEATURES, feature));
  if (unknown !== undefined) throw new UnknownCpuError("feature", unknown, FEATURE_NAMES);
  return {
    name,
    features: new Set(FEATURE_NAMES.filter((feature) => features.includes(feature))),
    vendor: "GenuineIntel",
    brand: info.brand ? `Bootwright ${name} processor` : "",
    signature: info.signature,
    physicalBits: info.physicalBits,
    linearBits: 48,
  };
}

/**
 * The model that a text names: a model, and what it has more or less, such as `x86-64-v2`, `x86-64-v2,+aes,-sse4.2` or
 * `+aes` (of the default model).
 *
 * @throws UnknownCpuError if a name is not known; RangeError if a feature lacks one that it builds on.
 */
export function parseCpuModel(text: string): CpuModel {
  const words = text.split(",").map((word) => word.trim());
  const name = /^[+-]/.test(words[0]) ? DEFAULT_MODEL_NAME : (words.shift() ?? "").toLowerCase();
  if (!Object.hasOwn(MODELS, name)) throw new UnknownCpuError("model", name, MODEL_NAMES);
  const features = new Set<Feature>(MODELS[name].features);
  for (const word of words) {
    const sign = word[0], feature = featureNamed(word.slice(1));
    if (sign !== "+" && sign !== "-") {
      throw new RangeError(`processor features are written with a sign: "+${word}" or "-${word}"`);
    }
    if (feature === undefined) throw new UnknownCpuError("feature", word.slice(1), FEATURE_NAMES);
    if (feature === "fpu") throw new RangeError('every processor has "fpu"');
    if (sign === "+") features.add(feature);
    else features.delete(feature);
  }
  checkNeeds(features);
  return cpuModelOf(name, [...features]);
}

function checkNeeds(features: ReadonlySet<string>): void {
  for (const feature of FEATURE_NAMES) {
    if (!features.has(feature)) continue;
    const missing = FEATURES[feature].needs.find((needed) => !features.has(needed));
    if (missing === undefined) continue;
    throw new RangeError(`"${feature}" needs "${missing}": add "+${missing}", or leave both out with "-${feature}"`);
  }
}

/** The model that a machine has unless told otherwise: x86-64-v2 with NX. */
export const defaultCpuModel: CpuModel = parseCpuModel(DEFAULT_MODEL_NAME);

/** True if the model has the feature. */
export function hasFeature(model: CpuModel, feature: Feature): boolean {
  return model.features.has(feature);
}

/** True if the model runs 64-bit code. */
export function hasLongMode(model: CpuModel): boolean {
  return hasFeature(model, "lm");
}

/** The bits of EFLAGS that the model has. Intel SDM vol. 1, section 3.4.3. */
export function flagsOf(model: CpuModel): number {
  let absent = 0;
  if (!hasFeature(model, "vme")) absent |= Flag.VIF | Flag.VIP;
  if (!hasFeature(model, "cpuid")) absent |= Flag.ID;
  return ALL_FLAGS & ~absent;
}

const ALL_FLAGS = Flag.ARITHMETIC | Flag.TF | Flag.IF | Flag.DF | Flag.IOPL | Flag.NT | Flag.RF | Flag.VM | Flag.AC |
  Flag.VIF | Flag.VIP | Flag.ID;
