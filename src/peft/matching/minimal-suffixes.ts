/** "a.b.c" gives "c", "b.c", "a.b.c". */
function suffixes(path: string): string[] {
  const parts = path.split(".");
  return parts.map((_, index) => parts.slice(parts.length - 1 - index).join("."));
}

/** Order of Python's lists of texts. */
function compareLists(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const left = a[i] as string;
    const right = b[i] as string;
    if (left !== right) return left < right ? -1 : 1;
  }
  return a.length - b.length;
}

/**
 * The shortest path ends that match all `targets` and none of `others` (PEFT's `_find_minimal_target_modules`).
 * @returns sorted names
 */
export function minimalSuffixes(targets: readonly string[], others: readonly string[]): string[] {
  const taken = new Set(others.flatMap(suffixes));
  const required: string[] = [];
  const candidates = targets
    .map((path) => ({ path, ends: suffixes(path) }))
    .sort((a, b) => compareLists(a.ends, b.ends));
  for (const { path, ends } of candidates) {
    const covered = required.some((name) => path.endsWith(`.${name}`));
    const shortest = ends.find((end) => !taken.has(end) && !required.includes(end));
    if (!covered && shortest !== undefined) required.push(shortest);
  }
  return (required.length > 0 ? required : [...targets]).sort();
}
