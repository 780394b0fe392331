import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  endGroup,
  error,
  info,
  notice,
  setFailed,
  setSecret,
  startGroup,
  warning,
} from "@actions/core";
import {
  type DispatchResult,
  freshName,
  hostArchitecture,
  isMicroagentError,
  type LoadedSpec,
  loadSpec,
  packageVersion,
  planRun,
  problemsOf,
  type RunPlan,
  runPlan,
  withOp,
} from "../src/index.ts";
import { annotateRun } from "./annotate.ts";
import { Annotations } from "./annotations.ts";
import { type RestoredCaches, restoreCaches, saveCaches } from "./caches.ts";
import { listenForCancellation } from "./cancellation.ts";
import { stageCheckout } from "./checkout.ts";
import { conclusionOf, failuresOf } from "./conclusion.ts";
import { bringWorkspaceBack, outputFile, tellJob, uploadOutputs } from "./deliver.ts";
import { type CacheEntry, cacheEntries } from "./engine-cache.ts";
import { secretsRefusal } from "./event-trust.ts";
import { flagsOf, guestWorkspace } from "./flags.ts";
import { GuestOutput } from "./guest-output.ts";
import { type CheckedHost, checkHost } from "./host-check.ts";
import { type Job, readJob } from "./job.ts";
import { type StepPaths, stepPaths } from "./paths.ts";
import { readInput } from "./read-input.ts";
import { egressFacts } from "./run-facts.ts";
import { readSettings, type StepSettings } from "./settings.ts";
import { rememberStep } from "./step-state.ts";

/**
 * The step from its inputs to its outputs: host, caches, run, what came out of it, and the job's verdict. What
 * it began is remembered before it begins, so that the post step can end it whatever happens here.
 */
export async function runStep(): Promise<void> {
  const settings = readSettings(readInput);
  const job = await readJob();
  const annotations = new Annotations(
    settings.annotations === "off"
      ? { error: info, warning: info, notice: info }
      : { error, warning, notice },
  );
  const refusal = settings.secrets.length > 0 ? secretsRefusal(job.event) : null;
  if (refusal !== null) throw new Error(refusal);

  const workspace = settings.name ?? freshName("action");
  const paths = stepPaths(job.temp, workspace);
  rememberStep({ workspace, stateDir: paths.state, outputs: paths.outputs, keep: settings.keep });
  using cancellation = listenForCancellation();
  const { signal } = cancellation;

  const spec = await readSpec(settings, annotations);
  const plan = await planRun(
    "dispatch",
    flagsOf(settings, { name: workspace, outputDir: paths.outputs }, spec),
    settings.file ?? undefined,
  );
  maskSecrets(settings);
  const caches = await openCaches(settings, job, paths, plan, spec);
  const host = await checkHost(paths.state, settings.fixKvm && settings.accel !== "tcg", signal);
  if (host.kvm.kind === "fixed") rememberStep({ kvmMode: host.kvm.mode });
  sayAcceleration(host);

  const result = await runMachine(settings, job, paths, plan, signal);
  await finish(settings, job, paths, plan, spec, result, annotations, cacheHitOf(caches));
  await saveCaches(caches.wanted, `${job.runId}-${job.attempt}-${workspace}`, (text) =>
    notice(text),
  );
  rememberStep({ done: true });
}

/** The Agentfile; each of its problems becomes an annotation at its place. */
async function readSpec(
  settings: StepSettings,
  annotations: Annotations,
): Promise<LoadedSpec | null> {
  const { file } = settings;
  if (file === null) return null;
  try {
    return await withOp("spec", {}, (op) => loadSpec(op, file));
  } catch (failure) {
    const problems = isMicroagentError(failure) ? problemsOf(failure) : [];
    for (const problem of problems) {
      annotations.add("error", problem.sentence, {
        title: "microagent: spec",
        file: problem.file,
        startLine: problem.line,
        startColumn: problem.column,
      });
    }
    throw failure;
  }
}

/** Values that the guest is given must not show in the log, whoever prints them. */
function maskSecrets(settings: StepSettings): void {
  for (const text of [...settings.secrets, ...settings.credSwap]) {
    const variable = /=env:(\w+)$/.exec(text)?.[1];
    const value = variable === undefined ? undefined : process.env[variable];
    if (value === undefined || value === "") continue;
    setSecret(value);
    setSecret(Buffer.from(value).toString("base64"));
    setSecret(encodeURIComponent(value));
  }
}

async function openCaches(
  settings: StepSettings,
  job: Job,
  paths: StepPaths,
  plan: RunPlan,
  spec: LoadedSpec | null,
): Promise<RestoredCaches> {
  const entries: CacheEntry[] = cacheEntries({
    state: paths.state,
    arch: hostArchitecture(),
    version: packageVersion,
    vmm: await vmmFingerprint(),
    image: plan.image,
    spec: createHash("sha256")
      .update(spec?.source.text ?? "")
      .digest("hex"),
    template: settings.templateCache,
  });
  startGroup("Caches");
  try {
    const say = (text: string) => notice(text);
    const caches = await restoreCaches(settings.cache, entries, job.event, paths.state, say);
    info(
      caches.hits.size === 0 ? "Nothing was restored" : `Restored: ${[...caches.hits].join(", ")}`,
    );
    return caches;
  } finally {
    endGroup();
  }
}

/** Of the VMM's program file: its version is known only when it runs. */
async function vmmFingerprint(): Promise<string> {
  const program = hostArchitecture() === "x86_64" ? "qemu-system-x86_64" : "qemu-system-aarch64";
  const bytes = await readFile(join("/usr/bin", program)).catch(() => null);
  return bytes === null ? "none" : createHash("sha256").update(bytes).digest("hex").slice(0, 16);
}

function sayAcceleration(host: CheckedHost): void {
  const choice = host.diagnosis.supervisor;
  if (choice === null) return;
  const { accel, accelReason } = choice.host;
  const text = `Acceleration: ${accel}. ${accelReason}`;
  if (accel === "tcg") warning(`${text}. Machines run, but much slower than with KVM`);
  else info(text);
}

async function runMachine(
  settings: StepSettings,
  job: Job,
  paths: StepPaths,
  plan: RunPlan,
  signal: AbortSignal,
): Promise<DispatchResult> {
  const copies = settings.workspace === "copy";
  if (copies) {
    const count = await stageCheckout(job.workspace, paths.checkoutIn, settings.workspaceExclude);
    info(`${count} files of the checkout go to ${guestWorkspace}`);
  }
  const output = new GuestOutput(settings.log, (text) => process.stdout.write(text));
  let failed = true;
  try {
    const result = await runPlan(plan, {
      stateDir: paths.state,
      signal,
      onOutput: (_phase, stream, data) => {
        output.show(stream, data);
        return Promise.resolve();
      },
      directoriesIn: copies ? [{ hostPath: paths.checkoutIn, guestPath: guestWorkspace }] : [],
      directoriesOut:
        settings.workspaceBack === "none"
          ? []
          : [{ guestPath: guestWorkspace, hostPath: paths.checkoutOut }],
    });
    failed = conclusionOf(result.termination) !== "success";
    return result;
  } finally {
    output.close(failed);
  }
}

async function finish(
  settings: StepSettings,
  job: Job,
  paths: StepPaths,
  plan: RunPlan,
  spec: LoadedSpec | null,
  result: DispatchResult,
  annotations: Annotations,
  cacheHit: string,
): Promise<void> {
  const egress = egressFacts(result);
  const patchFile = await bringWorkspaceBack(settings, job, paths);
  const artifact = await uploadOutputs(settings, job, paths, result);
  await tellJob(settings, plan, result, egress, {
    cacheHit,
    patchFile,
    artifact,
    receiptFile: await outputFile(paths, "egress.jsonl"),
    resultFile: await outputFile(paths, "result.json"),
  });
  annotateRun(annotations, plan, result, egress, spec);
  const failures = failuresOf(result, egress.deniedCount, settings.failOn);
  if (failures.length > 0) setFailed(failures.join("; "));
}

function cacheHitOf(caches: RestoredCaches): string {
  if (caches.hits.has("template")) return "template";
  return caches.hits.has("image") ? "image" : "none";
}
