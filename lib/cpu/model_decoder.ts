/** The decoder of one processor: an instruction of which its model lacks the feature is undefined. */
import { type CodeSize, decode, type DecodeStatus, type Instruction } from "./decode/mod.ts";
import { featureOf, withoutFeature } from "./system/instruction_features.ts";
import type { CpuModel } from "./system/model.ts";

/** Decodes as {@link decode} does. */
export type ModelDecoder = (
  bytes: Uint8Array,
  offset: number,
  end: number,
  codeSize: CodeSize,
  out: Instruction,
) => DecodeStatus;

/**
 * The decoder for a model. Whatever turns code into something that runs must use it. Because a missing instruction
 * becomes `ud` here, nothing behind the decoder depends on the model, and what is compiled serves all models.
 */
export function decoderFor({ features }: CpuModel): ModelDecoder {
  return (bytes, offset, end, codeSize, out) => {
    const status = decode(bytes, offset, end, codeSize, out);
    if (status === "ok") {
      const feature = featureOf(out, codeSize);
      if (feature !== undefined && !features.has(feature)) withoutFeature(out);
    }
    return status;
  };
}
