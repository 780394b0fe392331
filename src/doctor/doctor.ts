import { access, constants, statfs } from "node:fs/promises";
import { availableParallelism, totalmem } from "node:os";
import { isMicroagentError } from "../base/errors.ts";
import type { Op } from "../base/op.ts";
import { hostEnvironment } from "../host/environment.ts";
import { fileError } from "../host/file-error.ts";
import { findTool, packageOf } from "../host/find-tool.ts";
import { groupName, processorLimit } from "../host/group-limits.ts";
import { ensurePrivateDir } from "../host/state-layout.ts";
import { buildDir, buildWay, fakePackages } from "../image/source/build-way.ts";
import type { InstalledKernel } from "../kernel/installed-kernel.ts";
import type { Engine, SupervisorChoice } from "../workspace/engine.ts";
import {
  type Check,
  failedStep,
  missing,
  overall,
  packageRemedy,
  passed,
  type Verdict,
} from "./check.ts";

/** What was found out about this host. */
export interface Diagnosis {
  readonly verdict: Verdict;
  readonly checks: readonly Check[];
  /** Null as long as nothing can boot. */
  readonly supervisor: SupervisorChoice | null;
  readonly kernel: InstalledKernel | null;
}

const memoryMibMin = 1024;
const freeMibMin = 2048;
/** What `kernel build` runs, beside what every host has. */
const buildTools = ["gcc", "make", "flex", "bison", "bc"] as const;

export interface DiagnoseOptions {
  /** Prove the acceleration again instead of believing an earlier verdict. */
  readonly fresh?: boolean | undefined;
}

/** Looks at everything a boot uses, each thing found the way a boot finds it. Changes nothing. */
export async function diagnose(
  op: Op,
  engine: Engine,
  options: DiagnoseOptions = {},
): Promise<Diagnosis> {
  const checks: Check[] = [checkNode(), checkMemory()];
  checks.push(await checkState(engine));
  const kernel = await checkKernel(op, engine, checks);
  const supervisor = await checkSupervisor(op, engine, kernel, checks, options);
  checks.push(await checkParentDeath());
  checks.push(await checkImageBuilds(op, engine));
  checks.push(await checkBuildTools());
  return { verdict: overall(checks), checks, supervisor, kernel };
}

function checkNode(): Check {
  return passed("node", "core", `Node ${process.versions.node} on ${hostEnvironment.platform}`);
}

function checkMemory(): Check {
  const { memoryMib, cpuCount } = hostEnvironment;
  const found = sayMemory();
  return memoryMib >= memoryMibMin
    ? passed("memory", "core", `${found}, ${cpuCount} CPUs${sayProcessors()}`)
    : missing("memory", "safety", `${found}, expected ${memoryMibMin} or more`, null);
}

function sayMemory(): string {
  const { memoryMib, memoryLimitedBy } = hostEnvironment;
  const hostMib = Math.floor(totalmem() / 1024 ** 2);
  return memoryLimitedBy === null
    ? `${memoryMib} MiB of memory`
    : `${memoryMib} MiB of memory (limit of ${memoryLimitedBy}; the host has ${hostMib} MiB)`;
}

function sayProcessors(): string {
  const limit = processorLimit();
  const hostCount = availableParallelism();
  return limit === null || limit.value >= hostCount
    ? ""
    : ` (limit of ${groupName(limit.group)}: ${Number(limit.value.toFixed(2))}; the host has ${hostCount})`;
}

async function checkState(engine: Engine): Promise<Check> {
  const { root } = engine.layout;
  try {
    await ensurePrivateDir(root);
    await access(root, constants.W_OK | constants.X_OK).catch((error: unknown) => {
      throw fileError(error, `State directory "${root}" cannot be written`);
    });
    const facts = await statfs(root);
    const freeMib = Math.floor((facts.bavail * facts.bsize) / (1024 * 1024));
    return freeMib >= freeMibMin
      ? passed("state", "core", `State directory "${root}" with ${freeMib} MiB free`)
      : missing("state", "safety", `Only ${freeMib} MiB are free for "${root}"`, {
          command: "microagent image prune",
          packages: [],
          kernel: false,
        });
  } catch (error) {
    return failedStep("state", "core", error, null);
  }
}

/** Looks, and does not fetch: a diagnosis must not download a kernel. */
async function checkKernel(
  op: Op,
  engine: Engine,
  checks: Check[],
): Promise<InstalledKernel | null> {
  try {
    const kernel = await engine.kernels.installed(op);
    if (kernel === null) {
      checks.push(
        missing("kernel", "core", "No guest kernel is installed", {
          command: "microagent kernel install",
          packages: [],
          kernel: true,
        }),
      );
      return null;
    }
    await engine.kernels.initramfs(op, kernel);
    const { version, flavor } = kernel.image;
    checks.push(passed("kernel", "core", `Guest kernel ${version} (${kernel.name}, ${flavor})`));
    return kernel;
  } catch (error) {
    checks.push(failedStep("kernel", "core", error, null));
    return null;
  }
}

async function checkSupervisor(
  op: Op,
  engine: Engine,
  kernel: InstalledKernel | null,
  checks: Check[],
  { fresh }: DiagnoseOptions,
): Promise<SupervisorChoice | null> {
  try {
    const initramfsPath = kernel === null ? null : await engine.kernels.initramfs(op, kernel);
    const choice = await engine.supervisors.select(op, {
      accel: "auto",
      kernel,
      initramfsPath,
      fresh,
    });
    const { vmmPath, vmmVersion, accel, accelReason } = choice.host;
    checks.push(
      passed("vmm", "core", `${choice.supervisor.name} ${vmmVersion} at "${vmmPath}"`),
      accel === "tcg"
        ? missing("acceleration", "feature", accelReason, null)
        : passed("acceleration", "feature", accelReason),
    );
    return choice;
  } catch (error) {
    // Packages mend what packages bring, not a state directory that cannot be written.
    const isMissing =
      isMicroagentError(error) && ["vmm_not_found", "vmm_too_old"].includes(error.code);
    const remedy = isMissing
      ? packageRemedy(packageOf(`qemu-system-${hostEnvironment.arch}`))
      : null;
    checks.push(failedStep("vmm", "core", error, remedy));
    return null;
  }
}

async function checkParentDeath(): Promise<Check> {
  if (hostEnvironment.platform !== "linux") {
    return missing("orphans", "safety", "This system has no parent-death signal", null);
  }
  return await checkTool("setpriv", "safety", "ends machines whose owner was killed");
}

async function checkTool(name: string, tier: Check["tier"], use: string): Promise<Check> {
  const path = await findTool(name);
  return path === null
    ? missing(
        name,
        tier,
        `Program "${name}" is not installed: it ${use}`,
        packageRemedy(packageOf(name)),
      )
    : passed(name, tier, `Program "${name}" ${use}`);
}

/** The way and the place that a build would take. */
async function checkImageBuilds(op: Op, engine: Engine): Promise<Check> {
  const tool = await checkTool("mmdebstrap", "feature", "builds mmdebstrap: images");
  try {
    const way = await buildWay(op);
    const dir = await buildDir(way, [engine.layout.root]);
    if (tool.verdict !== "ok") return tool;
    return passed("mmdebstrap", "feature", `${tool.found} ${way.why} in "${dir}"`);
  } catch (error) {
    const packages = [...(tool.remedy?.packages ?? []), ...fakePackages];
    const isMissing = isMicroagentError(error) && error.code === "host_tool_missing";
    const remedy = isMissing ? packageRemedy(...packages) : null;
    return failedStep("mmdebstrap", "feature", error, remedy);
  }
}

async function checkBuildTools(): Promise<Check> {
  const found = await Promise.all(buildTools.map((tool) => findTool(tool)));
  const absent = buildTools.filter((_, index) => found[index] === null);
  return absent.length === 0
    ? passed("kernel-build", "feature", "Tools for microagent kernel build")
    : missing(
        "kernel-build",
        "feature",
        `Program "${absent.join('", "')}" is not installed: kernel build needs it`,
        packageRemedy(...absent.map(packageOf), "libelf-dev"),
      );
}
