import { createHash } from "node:crypto";
import { access, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { PoolOptions } from "vitest/node";
import {
  copyIntoGuest,
  type Engine,
  guestCommand,
  hostEnvironment,
  isMicroagentError,
  MicroagentError,
  type Op,
  type PrepareStep,
  readGuestFile,
  type Template,
  type Workspace,
} from "../../src/index.ts";
import { buildTemplate, describeTemplate } from "../template-build.ts";
import { FirstDraws } from "./first-draws.ts";
import { loadedVersions, loadFailure } from "./load-failure.ts";
import { importedPackages } from "./module-graph.ts";
import type { PoolSettings } from "./options.ts";
import { fileFact, packagesDigest, putPackages } from "./package-trees.ts";
import { addOnly, addPackages, emptySet, findPackage, type PackageSet } from "./packages.ts";
import { workerModules } from "./wire/worker-modules.ts";

/** Machines that wait with Vitest loaded, and what they have. */
export interface WarmTemplate {
  readonly template: Template;
  /** Packages that are in it. */
  readonly packages: PackageSet;
  readonly drawn: FirstDraws;
}

/** Guest port of the worker until the pool has connected; then nothing listens there. */
export const poolName = "microvm";
export const workerPort = 4_771;
/** What is not JavaScript's goes here: outputs of programs that tests start, and Node's own last words. */
export const outputDir = "/run/microagent-vitest";

const workerPath = "/usr/local/lib/microagent/vitest-worker.mjs";
const copiedNode = "/usr/local/bin/node";
const loadMs = 120_000;
const lookAgainMs = 1_000;
const outputBytesMax = 16 * 1024 * 1024;

/**
 * OpenSSL draws new seeds when its last ones are more than an hour old by the clock. So the template's clock goes wrong by
 * more, and right again in each clone; by so much that no host's own clock goes back as far.
 */
const clockBackMs = 40 * 24 * 3_600_000;

/** Starts the worker and leaves its exit code, which is there at once or not at all. */
const startScript =
  'mkdir -p "$0"; ("$@" </dev/null >"$0/stdout" 2>"$0/stderr"; echo $? >"$0/.exit"; mv "$0/.exit" "$0/exit") >/dev/null 2>&1 </dev/null &';

/** Builds the machine that test files of a project run in, or finds it. */
export async function warmTemplate(
  op: Op,
  engine: Engine,
  settings: PoolSettings,
  options: PoolOptions,
): Promise<WarmTemplate> {
  const packages = await wantedPackages(settings, options);
  const worker = await workerProgram();
  const described = await describeTemplate(settings.machine);
  const launch = launchOf(settings, options);
  const hash = createHash("sha256");
  hash.update(JSON.stringify([launch, startScript, settings.node, clockBackMs]));
  hash.update(await readFile(worker)).update(await packagesDigest(packages));
  if (settings.node === null) hash.update(await fileFact(hostEnvironment.nodePath));
  const last: PrepareStep = {
    key: hash.digest("hex"),
    async run(step, workspace) {
      if (settings.node === null) {
        await copyIntoGuest(step, workspace, hostEnvironment.nodePath, copiedNode);
      }
      await copyIntoGuest(step, workspace, worker, workerPath);
      await putPackages(step, workspace, packages);
      await startWorker(step, workspace, launch, await loadedVersions(options.distPath));
    },
  };
  const { root } = options.project.config;
  const { timeouts, machine } = settings;
  const build = { engine, name: poolName, options: machine, described, root, timeouts };
  const template = await buildTemplate(op, build, last);
  return { template, packages, drawn: new FirstDraws() };
}

/** How the worker is started: as Vitest starts its own, but for what is about profiles of the host. */
function launchOf(settings: PoolSettings, { distPath, execArgv, env }: PoolOptions) {
  const words = execArgv.filter((word) => !/^--(cpu-prof|heap-prof|diagnostic-dir)/.test(word));
  const isColored = env.NO_COLOR === undefined && (env.FORCE_TTY === "true" || !!env.FORCE_COLOR);
  return {
    argv: [settings.node ?? copiedNode, ...words, workerPath, distPath, `${workerPort}`],
    // Colours are decided when modules are loaded.
    env: isColored ? { FORCE_COLOR: "1" } : { NO_COLOR: "1" },
  };
}

async function wantedPackages(settings: PoolSettings, options: PoolOptions): Promise<PackageSet> {
  const { project, distPath } = options;
  const { coverage } = project.vitest.config;
  const names = [...settings.packages];
  if (coverage.enabled && coverage.provider !== "custom") {
    names.push(`@vitest/coverage-${coverage.provider ?? "v8"}`);
  }
  const found: string[] = [];
  for (const name of names) {
    const path = await findPackage(name, project.config.root);
    if (path === null) {
      throw new MicroagentError(
        "invalid_argument",
        `Package "${name}" is not installed for "${project.config.root}"`,
      );
    }
    found.push(path);
  }
  const set = emptySet();
  // Of Vitest and Vite only what a worker imports: the host transforms, and what it needs for that is large.
  const entries = workerModules.map((name) => join(distPath, name));
  await addOnly(set, [dirname(distPath), ...(await importedPackages(entries))]);
  await addPackages(set, found);
  return set;
}

async function startWorker(
  op: Op,
  workspace: Workspace,
  { argv, env }: { readonly argv: readonly string[]; readonly env: Record<string, string> },
  versions: string,
): Promise<void> {
  const timeUnixMs = op.clock.now() - clockBackMs;
  await workspace.agent.disturb(op, { what: "clock", timeUnixMs });
  const command = { argv: ["/bin/sh", "-c", startScript, outputDir, ...argv], env, user: "0:0" };
  const execution = await workspace.exec(op, guestCommand(workspace, command));
  for await (const _ of execution.output);
  await execution.result;
  await op.step("load", (step) => loaded(step, workspace, versions), { timeoutMs: loadMs });
}

/** Resolves when the worker has loaded everything; fails with what it printed when it ended before. */
async function loaded(op: Op, workspace: Workspace, versions: string): Promise<void> {
  const { agent } = workspace;
  for (;;) {
    const watch = { for: "port", port: workerPort, present: true } as const;
    const { met } = await workspace.explaining(
      "loading Vitest",
      agent.watch(op, watch, lookAgainMs),
    );
    if (met) return;
    const exit = await readOutput(op, workspace, "exit");
    if (exit === "") continue;
    throw loadFailure(versions, exit.trim(), await readOutput(op, workspace, "stderr"));
  }
}

/** What has gone to one of the worker's files so far; the empty text when it is not there. */
export async function readOutput(op: Op, workspace: Workspace, name: string): Promise<string> {
  try {
    const bytes = await readGuestFile(op, workspace, `${outputDir}/${name}`, outputBytesMax);
    return bytes.toString("utf8");
  } catch (error) {
    if (isMicroagentError(error) && error.code === "guest_file_not_found") return "";
    throw error;
  }
}

async function workerProgram(): Promise<string> {
  // Beside this module's bundle when it is compiled, in the compiled tree when it is not.
  const places = ["./guest-worker.js", "../vitest-plugin/guest-worker.js"];
  for (const place of [...places, "../../dist/vitest-plugin/guest-worker.js"]) {
    const path = fileURLToPath(new URL(place, import.meta.url));
    if (await isThere(path)) return path;
  }
  throw new MicroagentError("host_tool_missing", "The worker of the pool is not built", {
    hint: "In a checkout: npm run build. An installed package brings it along: install it again",
  });
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
