import { freshName } from "../src/index.ts";
import { exists } from "./exists.ts";
import { stepPaths } from "./paths.ts";

/**
 * The name that was given, or the Agentfile's, with a number when an earlier step of this job has used it, or one made
 * up: in reports of many runs people look for names that they know.
 */
export async function workspaceName(
  given: string | null,
  named: string | undefined,
  temp: string,
): Promise<string> {
  if (given !== null) return given;
  if (named === undefined || !/^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$/.test(named)) {
    return freshName("action");
  }
  for (let count = 1; ; count += 1) {
    const name = count === 1 ? named : `${named}-${count}`;
    if (!(await exists(stepPaths(temp, name).run))) return name;
  }
}
