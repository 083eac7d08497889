/** x87 tags in their two orders: S.FTW has a bit for each ST(i), images in memory have one for each physical register. */

/** The tags of the physical registers R0–R7 from those of ST(0)–ST(7). */
export function physicalTags(tags: number, top: number): number {
  return (tags << top | tags >> 8 - top) & 0xff;
}

/** The tags of ST(0)–ST(7) from those of the physical registers. */
export function stackTags(tags: number, top: number): number {
  return (tags >> top | tags << 8 - top) & 0xff;
}
