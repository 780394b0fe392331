import { realpath } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import type { HostFileSource } from "../src/index.ts";

/** What the kernel shows of processes, this one's variables among them, and devices. */
const kernelPlaces = ["/proc", "/sys", "/dev"];

/** Variables of the runner with files that steps speak to it through, or that say what the job is. */
const runnerFiles = [
  ...["GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY"],
  "GITHUB_EVENT_PATH",
];

/** The runner's registration and keys, wherever it is installed. */
const runnerNames = /^\.(credentials(_rsaparams)?|runner(_migrated)?)$/i;

/** Where no secret and no file for a guest may come from, whoever names it and by whatever scheme. */
export class ForbiddenPlaces {
  readonly #roots: readonly string[];
  readonly #checkout: string;

  private constructor(roots: readonly string[], checkout: string) {
    this.#roots = roots;
    this.#checkout = checkout;
  }

  /** The places of this job, their links resolved. */
  static async of(env: NodeJS.ProcessEnv, checkout: string): Promise<ForbiddenPlaces> {
    const { RUNNER_TEMP, RUNNER_WORKSPACE, HOME } = env;
    const given = [
      RUNNER_TEMP,
      // Beside the repositories: temporary files, actions and logs of the runner.
      ...(RUNNER_WORKSPACE ? ["_temp", "_actions", "_diag"].map(besideOf(RUNNER_WORKSPACE)) : []),
      ...runnerFiles.map((name) => env[name] && dirname(env[name])),
      HOME,
    ].filter((place) => place !== undefined && place !== "");
    const roots = await Promise.all([...kernelPlaces, ...(given as string[])].map(realPathOf));
    return new ForbiddenPlaces(
      roots.filter((root) => root !== "/"),
      await realPathOf(checkout),
    );
  }

  /** The first source that is in such a place, as a sentence; null when there is none. */
  async refusalOf(sources: readonly HostFileSource[]): Promise<string | null> {
    for (const { what, path } of sources) {
      // As it is written too: what a link of /proc leads to depends on who follows it.
      for (const place of [resolve(path), await realPathOf(path)]) {
        const why = this.#why(place);
        if (why !== null) return `${what} "${path}" ${why} and is no source for a guest`;
      }
    }
    return null;
  }

  #why(path: string): string | null {
    if (kernelPlaces.some((root) => isWithin(path, root))) return "shows the runner's own state";
    if (runnerNames.test(basename(path))) return "is the runner's own";
    if (path.split(sep).some((part) => part.toLowerCase() === ".git")) {
      return "is git's own, which may hold the job's token,";
    }
    // The checkout itself lies below a runner's home.
    const inCheckout = isWithin(path, this.#checkout);
    const root = this.#roots.find(
      (each) => isWithin(path, each) && !(inCheckout && isWithin(this.#checkout, each)),
    );
    return root === undefined ? null : `is in "${root}", which is the runner's own,`;
  }
}

function besideOf(workspace: string): (name: string) => string {
  return (name) => join(dirname(workspace), name);
}

function isWithin(path: string, root: string): boolean {
  return path === root || path.startsWith(`${root}/`);
}

/** The path without links; of what does not exist, as far as it does. */
async function realPathOf(path: string): Promise<string> {
  const whole = resolve(path);
  try {
    return await realpath(whole);
  } catch {
    const up = dirname(whole);
    return up === whole ? whole : join(await realPathOf(up), basename(whole));
  }
}
