// Bundles what the benchmarks measure, the way the package is bundled.
import { join } from "node:path";
import { bundle } from "../scripts/bundle.mjs";
import { root } from "../scripts/steps.mjs";

/** Where floors, fixtures and results are kept between runs; not part of the repository. */
export const resultsDir = join(root, "bench", "results");

/** The bundle of `subject.ts`. */
export const subjectPath = join(resultsDir, "subject.js");

/** Bundles the sources as they are now; call it before anything loads the bundle. */
export async function buildSubject() {
  await bundle({ subject: "bench/subject.ts" }, resultsDir);
  return "bundled";
}
