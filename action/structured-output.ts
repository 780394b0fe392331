import { lstat, readFile } from "node:fs/promises";
import { join } from "node:path";
import { structuredOutputName } from "./flags.ts";
import type { StepResult } from "./step-result.ts";

/** All outputs of a job together may have a mebibyte. */
const bytesMax = 64 * 1024;

/** The JSON that the guest left for the step, or why there is none. */
export type StructuredOutput =
  | { readonly text: string; readonly problem: null }
  | { readonly text: ""; readonly problem: string };

/**
 * Reads the collected file as JSON and writes it anew, on one line: what later steps are given is whole and nothing else. A
 * file that is missing is told with the other outputs.
 */
export async function structuredOutput(
  path: string | null,
  result: StepResult,
  outputs: string,
): Promise<StructuredOutput> {
  const found = result.outputs.artifacts.find(
    ({ output, guestPath }) => output === structuredOutputName && guestPath === path,
  );
  if (path === null || found === undefined) return { text: "", problem: null };
  const no = (why: string): StructuredOutput => ({
    text: "",
    problem: `Structured output "${path}" ${why}`,
  });
  const file = join(outputs, found.path);
  const stats = await lstat(file);
  if (!stats.isFile() || stats.size > bytesMax) {
    return no(`has ${stats.size} bytes, wanted a file of at most ${bytesMax}`);
  }
  try {
    const text = JSON.stringify(JSON.parse(await readFile(file, "utf8")));
    return Buffer.byteLength(text) > bytesMax
      ? no(`has more than ${bytesMax} bytes`)
      : { text, problem: null };
  } catch {
    return no("is no JSON");
  }
}
