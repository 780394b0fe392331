/**
 * The candidate a reader most likely meant, or null when none is near: equal but for case and
 * separators, or at most a third of its letters away.
 */
export function nearestName(found: string, candidates: readonly string[]): string | null {
  if (found.length > 64) return null;
  const plain = normal(found);
  if (plain === "") return null;
  let best: string | null = null;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const other = normal(candidate);
    const distance = plain === other ? 0 : editDistance(plain, other);
    const near = distance <= Math.max(1, Math.floor(Math.max(plain.length, other.length) / 3));
    // One letter that becomes another is no likeness.
    if (near && distance < Math.min(plain.length, other.length) && distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function normal(name: string): string {
  return name.toLowerCase().replace(/[-_\s.]/g, "");
}

/** Insertions, deletions, substitutions and swaps of neighbours, each counted as one. */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(
        (previous[j] ?? 0) + 1,
        (current[j - 1] ?? 0) + 1,
        (previous[j - 1] ?? 0) + (same ? 0 : 1),
      );
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, (beforePrevious[j - 2] ?? 0) + 1);
      }
      current.push(cost);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length] ?? 0;
}
