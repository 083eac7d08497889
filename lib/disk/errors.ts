/** Errors about disk images, as opposed to errors of a medium in use ({@link BlockError} in lib/machine/types.ts). */

/** An image cannot be used for what it was given for. The message says what was expected, what was found and what to do. */
export class ImageError extends Error {
  /** Always `"ImageError"`. */
  override readonly name = "ImageError";
}
