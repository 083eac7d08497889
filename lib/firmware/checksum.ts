/** The checksum that firmware tables and ROMs share. */

/** The byte that makes the sum of `bytes` and itself a multiple of 256. */
export function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i++) sum = (sum + bytes[i]) & 0xff;
  return -sum & 0xff;
}
