/** IBM code page 437, the character set of the PC's ROM fonts. */

/** The Unicode character of each of the 256 codes, those below 20h and 7Fh as the glyphs that the fonts show. */
export const CP437: string = " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼" +
  " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~⌂" +
  "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀" +
  "αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0";

const CODES = new Map([...CP437].map((character, code) => [character, code]).reverse() as [string, number][]);

/** The Unicode character that code `code` (0 to 255) shows. Codes 0 and FFh look like spaces. */
export function fromCp437(code: number): string {
  return CP437[code];
}

/** The code that shows `character`, or -1 if code page 437 has no such character. */
export function toCp437(character: string): number {
  return character === " " ? 0x20 : CODES.get(character) ?? -1;
}
