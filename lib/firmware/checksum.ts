/** The checksum that firmware tables and ROMs share. */

/** The byte that makes the sum of `bytes` and itself a multiple of 256. */
export function checksum(bytes: Uint8Array): number {
  return (256 - bytes.reduce((sum, byte) => (sum + byte) & 0xff, 0)) & 0xff;
}
