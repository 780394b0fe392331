import { isMicroagentError } from "../base/errors.ts";

/** How much depends on a check: boots at all, boots safely, or one feature. */
export type Tier = "core" | "safety" | "feature";
export type Verdict = "ok" | "degraded" | "failed";

/** One fact of the host, judged. */
export interface Check {
  /** Stable name, for example `kernel`. */
  readonly id: string;
  readonly tier: Tier;
  readonly verdict: Verdict;
  /** One sentence: what was found. */
  readonly found: string;
  /** What mends it: a command for people, and the same for `--fix`; null when there is nothing. */
  readonly remedy: Remedy | null;
}

export interface Remedy {
  /** As a person would type it. */
  readonly command: string;
  /** Debian packages to install, when that is the remedy. */
  readonly packages: readonly string[];
  /** Installs a kernel, when that is the remedy. */
  readonly kernel: boolean;
}

export function passed(id: string, tier: Tier, found: string): Check {
  return { id, tier, verdict: "ok", found, remedy: null };
}

/** A missing core fact fails the host; anything else only takes something away. */
export function missing(id: string, tier: Tier, found: string, remedy: Remedy | null): Check {
  return { id, tier, verdict: tier === "core" ? "failed" : "degraded", found, remedy };
}

export function packageRemedy(...packages: string[]): Remedy {
  return { command: `apt-get install -y ${packages.join(" ")}`, packages, kernel: false };
}

/** The verdict of a check that is an ordinary step of a boot: its own error says what is wrong. */
export function failedStep(id: string, tier: Tier, error: unknown, remedy: Remedy | null): Check {
  if (!isMicroagentError(error)) throw error;
  const told =
    error.hint === undefined ? null : { command: error.hint, packages: [], kernel: false };
  return missing(id, tier, error.message, remedy ?? told);
}

/** The worst verdict of all. */
export function overall(checks: readonly Check[]): Verdict {
  if (checks.some((check) => check.verdict === "failed")) return "failed";
  return checks.some((check) => check.verdict === "degraded") ? "degraded" : "ok";
}
