import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { MicroagentError } from "../base/errors.ts";
import { isThere } from "../host/is-there.ts";

const manifestSchema = z.object({ outputs: z.array(z.string()) });

/**
 * Names in an output directory that an earlier run put there, by its `manifest.json`; only these may
 * be replaced or removed. Empty where there is no manifest that can be read.
 */
export async function outputsOfEarlierRun(outputDir: string): Promise<ReadonlySet<string>> {
  try {
    const text = await readFile(join(outputDir, "manifest.json"), "utf8");
    return new Set(manifestSchema.parse(JSON.parse(text)).outputs);
  } catch {
    return new Set();
  }
}

/** Refuses to replace what no run of ours made: `output_refused`. */
export async function checkReplaceable(
  outputDir: string,
  name: string,
  earlier: ReadonlySet<string>,
): Promise<void> {
  if (earlier.has(name)) return;
  const target = join(outputDir, name);
  if (!(await isThere(target))) return;
  throw new MicroagentError(
    "output_refused",
    `"${target}" exists and does not come from an earlier run, so output "${name}" cannot go there`,
    { hint: "Choose another --output-dir, or move it away" },
  );
}
