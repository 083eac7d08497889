/** Features that a processor model has or lacks, by the names that operating systems list them under. */
import type { CpuModel } from "./model.ts";

/** Features that only system software sees. */
export type SystemFeature = "fsgsbase" | "invpcid" | "pcid" | "pdpe1gb" | "rdtscp" | "smap" | "smep" | "umip";

/** True if the model has the feature. */
export function hasFeature(model: CpuModel & { features?: ReadonlySet<string> }, feature: SystemFeature): boolean {
  return model.features?.has(feature) ?? false;
}
