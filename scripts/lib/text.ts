/** Numbers as people read them. */

/** `value` in hexadecimal with at least `digits` digits. */
export function hex(value: number | bigint, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
