// Samples and what is said of them. Every figure of the benchmarks is a median of paired samples.

/** The fewest samples a printed median is made of. */
export const runsMin = 9;

/** Middle value; the mean of the two middle ones for an even count. */
export function median(samples) {
  return quantile(samples, 0.5);
}

/** Value below which `share` of the samples lie, interpolated. */
export function quantile(samples, share) {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)];
  return low + (sorted[Math.ceil(at)] - low) * (at - Math.floor(at));
}

/** Milliseconds that `work` takes, with what it returned. */
export async function timed(work) {
  const started = performance.now();
  const value = await work();
  return { ms: performance.now() - started, value };
}

/**
 * Takes `runs` samples of every subject in turn, A B C A B C, so that a machine that gets slower meanwhile gets
 * slower for all of them. A first round is thrown away. A subject returns its sample, in its own unit.
 *
 * @param {number} runs
 * @param {Record<string, () => Promise<number>>} subjects
 * @returns {Promise<Record<string, number[]>>}
 */
export async function interleave(runs, subjects, onRound = () => {}) {
  const samples = Object.fromEntries(Object.keys(subjects).map((name) => [name, []]));
  for (let round = -1; round < runs; round++) {
    onRound(round + 1, runs);
    for (const [name, take] of Object.entries(subjects)) {
      const sample = await take();
      if (round >= 0) samples[name].push(sample);
    }
  }
  return samples;
}
