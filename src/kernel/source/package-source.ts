import { isMicroagentError, MicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import { hostEnvironment } from "../../host/environment.ts";
import { runTool } from "../../host/run-tool.ts";
import type { Apt, AptPackage } from "./apt.ts";

/**
 * Follows the first meta package of `candidates` that exists to the packages it stands for: those of its
 * dependencies, and of theirs, that match `wanted`. `kernel_not_found` when the distribution has none.
 */
export async function followMetaPackage(
  op: Op,
  apt: Apt,
  candidates: readonly string[],
  wanted: RegExp,
): Promise<readonly AptPackage[]> {
  for (const name of candidates) {
    const meta = await apt.show(op, name);
    if (meta === null) continue;
    const found = new Map<string, AptPackage>();
    await collect(op, apt, meta, wanted, found);
    if (found.size > 0) return [...found.values()];
  }
  throw new MicroagentError(
    "kernel_not_found",
    `The distribution's package lists hold none of ${candidates.map((name) => `"${name}"`).join(", ")}`,
    {
      hint: `Refresh them with: ${hostEnvironment.uid === 0 ? "" : "sudo "}apt-get update`,
      details: { candidates },
    },
  );
}

async function collect(
  op: Op,
  apt: Apt,
  from: AptPackage,
  wanted: RegExp,
  found: Map<string, AptPackage>,
): Promise<void> {
  for (const name of from.depends) {
    if (!wanted.test(name) || found.has(name)) continue;
    const next = await apt.show(op, name);
    if (next === null) continue;
    found.set(name, next);
    await collect(op, apt, next, wanted, found);
  }
}

/**
 * Fetches what `choose` picks and unpacks it below `directory` without installing anything. Lists
 * that are older than the mirror name versions it no longer has, so a failed fetch is tried once
 * more with fresh lists.
 */
export async function unpackPackages(
  op: Op,
  apt: Apt,
  directory: string,
  choose: (op: Op) => Promise<readonly AptPackage[]>,
): Promise<readonly AptPackage[]> {
  const chosen = await choose(op);
  try {
    await fetchAll(op, apt, directory, chosen);
    return chosen;
  } catch (error) {
    op.check();
    if (!isMicroagentError(error) || error.code !== "kernel_fetch_failed") throw error;
    if (!(await apt.refresh(op))) throw error;
    const again = await choose(op);
    await fetchAll(op, apt, directory, again);
    return again;
  }
}

async function fetchAll(
  op: Op,
  apt: Apt,
  directory: string,
  packages: readonly AptPackage[],
): Promise<void> {
  for (const wanted of packages) {
    const label = `${wanted.name} ${wanted.version}`;
    op.report({ kind: "note", text: `Fetching ${label} from the distribution` });
    const file = await op.step(`fetch ${wanted.name}`, (step) =>
      apt.download(step, wanted, directory),
    );
    await op.step(`unpack ${wanted.name}`, (step) =>
      runTool(step, "dpkg-deb", ["--extract", file, directory]),
    );
  }
}
