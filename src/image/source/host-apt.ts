import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Op } from "../../base/op.ts";
import { fileError } from "../../host/file-error.ts";
import { findTool, runTool } from "../../host/run-tool.ts";
import type { MmdebstrapReference } from "../reference/kinds.ts";

/** What this host's apt knows and a package build needs: where packages are and how to get there. */
export interface HostApt {
  /** One-line sources of the wanted suite; empty when this host has none. */
  readonly mirrors: readonly string[];
  readonly options: readonly string[];
}

/** Settings of the host that matter for fetching; everything else would only change the image. */
const fetchSettings =
  /^Acquire::(?:http|https|ftp)::Proxy(?:::\S+)?$|^Acquire::Check-(?:Valid-Until|Date)$|^Acquire::Retries$/;

const settingsInside = "/etc/apt/apt.conf.d/00host";

/**
 * Reads the host's apt configuration. Fetch settings (a proxy, a frozen mirror) are lent to the build and
 * taken out of the image again. A host without apt gives nothing, and mmdebstrap's own defaults hold.
 */
export async function hostApt(
  op: Op,
  reference: MmdebstrapReference,
  stagingDir: string,
): Promise<HostApt> {
  return {
    mirrors: await mirrors(op, reference),
    options: await options(op, stagingDir),
  };
}

async function mirrors(op: Op, reference: MmdebstrapReference): Promise<readonly string[]> {
  if ((await findTool("apt-get")) === null) return [];
  const format = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)";
  const { stdout } = await runTool(op, "apt-get", [
    "indextargets",
    "--format",
    format,
    "Created-By: Packages",
  ]);
  return mirrorLines(stdout, reference);
}

/** The host's sources for the suite, its updates and its security fixes as one-line entries. */
export function mirrorLines(
  targets: string,
  reference: Pick<MmdebstrapReference, "suite" | "components">,
): readonly string[] {
  const { suite } = reference;
  const releases = new Set([suite, `${suite}-updates`, `${suite}-security`, `${suite}/updates`]);
  const found = new Map<string, Set<string>>();
  for (const line of targets.split("\n")) {
    const [uri, release, component] = line.trim().split("|");
    if (uri === undefined || release === undefined || component === undefined) continue;
    // A file: mirror is another file inside the root, and unknown schemes need unknown helpers.
    if (!/^https?:\/\/[^\s[\]]+$/.test(uri) || !releases.has(release)) continue;
    if (!reference.components.includes(component)) continue;
    const key = `${uri} ${release}`;
    found.set(key, (found.get(key) ?? new Set()).add(component));
  }
  // Only a source of the suite itself can install a base system.
  if (![...found.keys()].some((key) => key.endsWith(` ${suite}`))) return [];
  return [...found].map(([key, components]) => `deb ${key} ${[...components].join(" ")}`);
}

async function options(op: Op, stagingDir: string): Promise<readonly string[]> {
  if ((await findTool("apt-config")) === null) return [];
  const { stdout } = await runTool(op, "apt-config", ["dump"]);
  const settings = stdout.split("\n").filter((line) => {
    const setting = /^(\S+) "(.+)";$/.exec(line);
    return setting !== null && fetchSettings.test(setting[1] ?? "");
  });
  if (settings.length === 0) return [];
  const file = join(stagingDir, "host-apt.conf");
  try {
    await writeFile(file, `${settings.join("\n")}\n`, { mode: 0o600 });
  } catch (error) {
    throw fileError(error, `File "${file}" cannot be written`);
  }
  return [
    `--setup-hook=upload ${shellQuoted(file)} ${settingsInside}`,
    `--customize-hook=rm -f "$1"${settingsInside}`,
  ];
}

function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
