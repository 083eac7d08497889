/** Pictures as PNG files. */
import { decode, encode } from "fast-png";

/** A picture in memory. */
export interface Picture {
  /** Dots of a line. */
  readonly width: number;
  /** Lines. */
  readonly height: number;
  /** Red, green, blue, alpha, line by line from the top left. */
  readonly data: Uint8Array;
}

/** Encodes an opaque picture as a PNG file with 8 bits a component; alpha is left out. */
export function encodePng(picture: Picture): Uint8Array {
  const { width, height, data } = picture;
  const rgb = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) {
    rgb[to] = data[from];
    rgb[to + 1] = data[from + 1];
    rgb[to + 2] = data[from + 2];
  }
  return encode({ width, height, data: rgb, channels: 3, depth: 8 });
}

/**
 * Decodes a PNG file with 8 bits a component: grey, colour or palette, with or without alpha.
 *
 * @throws RangeError if the file has another depth; other errors if it is no PNG file.
 */
export function decodePng(file: Uint8Array): Picture {
  const { width, height, data, channels, depth, palette } = decode(file);
  if (depth !== 8) throw new RangeError(`the PNG file has ${depth} bits a component, only 8 are read`);
  const rgba = new Uint8Array(width * height * 4);
  for (let i = 0; i < width * height; i++) {
    const at = i * channels, grey = channels < 3;
    const [red, green, blue, alpha = 255] = palette !== undefined
      ? palette[data[at]]
      : grey
      ? [data[at], data[at], data[at], channels === 2 ? data[at + 1] : 255]
      : [data[at], data[at + 1], data[at + 2], channels === 4 ? data[at + 3] : 255];
    rgba.set([red, green, blue, alpha], i * 4);
  }
  return { width, height, data: rgba };
}
