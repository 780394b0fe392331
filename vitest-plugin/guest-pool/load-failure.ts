import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { MicroagentError } from "../../src/index.ts";
import { findPackage } from "./packages.ts";

/** The versions that a worker loads, for example `Vitest 5.1.2 with Vite 8.4.0`. */
export async function loadedVersions(distPath: string): Promise<string> {
  const vitest = await versionOf(dirname(distPath));
  const vite = await versionOf(await findPackage("vite", distPath));
  return `Vitest ${vitest} with Vite ${vite}`;
}

async function versionOf(dir: string | null): Promise<string> {
  if (dir === null) return "(not installed)";
  const text = await readFile(join(dir, "package.json"), "utf8").catch(() => "{}");
  const { version } = JSON.parse(text) as { readonly version?: unknown };
  return typeof version === "string" ? version : "(unknown version)";
}

/**
 * Why a worker ended before it could run a test: one sentence with the versions and Node's own reason.
 *
 * @param versions as `loadedVersions` gives them
 * @param exit what the worker's exit code was
 * @param printed its standard error
 */
export function loadFailure(versions: string, exit: string, printed: string): MicroagentError {
  const [, reason] = /^\S*Error(?: \[\w+\])?: (.+)$/m.exec(printed) ?? [];
  const [, missing] = /Cannot find (?:package|module) '([^'./][^']*)'/.exec(printed) ?? [];
  const why = reason ?? `the worker ended with exit code ${exit}`;
  return new MicroagentError("setup_failed", `${versions} does not load in the machine: ${why}`, {
    hint:
      missing === undefined
        ? inOneLine(printed)
        : `Install it and name it: microvmPool({ packages: ["${packageOf(missing)}"] })`,
  });
}

/** The last lines of what a program printed, for a hint. */
export function inOneLine(printed: string): string {
  const lines = printed.split("\n").map((line) => line.trim());
  return lines
    .filter((line) => line !== "")
    .slice(-hintLinesMax)
    .join("; ");
}

const hintLinesMax = 5;

function packageOf(specifier: string): string {
  const parts = specifier.split("/");
  return parts.slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
}
