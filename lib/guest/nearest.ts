/** "Did you mean …?": finds the names that someone who mistyped one probably meant. */

/** The number of insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`. */
function distance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = rows[i - 1][j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(rows[i - 1][j] + 1, row[j - 1] + 1, substitution);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(row[j], rows[i - 2][j - 2] + 1);
    }
    rows.push(row);
  }
  return rows[a.length][b.length];
}

/** The candidates nearest to `name`, best first, at most `count`; capitals do not matter. Names that are far off are left out. */
export function nearest(name: string, candidates: Iterable<string>, count = 1): string[] {
  const wanted = name.toLowerCase();
  const scored = [...candidates].map((candidate) => {
    const lower = candidate.toLowerCase();
    const within = wanted.length > 2 && (lower.includes(wanted) || wanted.includes(lower)) ? 1 : Infinity;
    return { candidate, score: Math.min(distance(wanted, lower), within) };
  });
  const limit = Math.max(2, Math.ceil(wanted.length / 2));
  return scored.filter(({ score }) => score <= limit)
    .sort((a, b) => a.score - b.score || a.candidate.localeCompare(b.candidate, "en"))
    .slice(0, count).map(({ candidate }) => candidate);
}

/** The sentence part `; did you mean "x"?`, or `; known are …` when nothing is near. */
export function suggestion(name: string, candidates: Iterable<string>): string {
  const known = [...candidates];
  const near = nearest(name, known, 3);
  if (near.length > 0) return `; did you mean ${near.map((candidate) => `"${candidate}"`).join(" or ")}?`;
  return known.length <= 40 ? `; known are ${known.join(", ")}` : "";
}

/** Throws what `fail` makes of the message when `options` has a key that is not in `known`. */
export function checkKeys(
  options: object,
  known: readonly string[],
  what: string,
  fail: (message: string) => Error,
): void {
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) throw fail(`${what} has no option "${key}"${suggestion(key, known)}`);
  }
}
