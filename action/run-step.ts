import { join } from "node:path";
import { error, notice, setFailed, setOutput, summary, warning } from "@actions/core";
import {
  type Diagnosis,
  exitCodeOf,
  hostSourcesOf,
  isMicroagentError,
  type LoadedSpec,
  loadSpec,
  planRun,
  problemsOf,
  type RunPlan,
  type Termination,
  withOp,
} from "../src/index.ts";
import { annotateRun } from "./annotate.ts";
import { Annotations } from "./annotations.ts";
import { artifactName, type UploadedArtifact } from "./artifact-upload.ts";
import { StepCaches } from "./caches.ts";
import { CancelledError, listenForCancellation, untilCancelled } from "./cancellation.ts";
import { failuresOf, sentenceOf } from "./conclusion.ts";
import { addReport, bringWorkspaceBack, outputFile, tellJob, uploadOutputs } from "./deliver.ts";
import { entriesOfHost, entryOfKernel } from "./entries.ts";
import { messageFor } from "./failure-message.ts";
import { flagsOf } from "./flags.ts";
import { GuestOutput } from "./guest-output.ts";
import { checkHost } from "./host-check.ts";
import { isBuiltHere } from "./host-needs.ts";
import { provideIdToken } from "./id-token.ts";
import { type Job, readJob } from "./job.ts";
import { tellReceipt } from "./log-receipt.ts";
import { keepsOnMachine } from "./machine-cache.ts";
import { type StepPaths, stepPaths } from "./paths.ts";
import { silenceMatchers } from "./problem-matchers.ts";
import { readInput } from "./read-input.ts";
import { loginToRegistry } from "./registry-login.ts";
import { egressFacts } from "./run-facts.ts";
import { runMachine } from "./run-machine.ts";
import { withinRunner } from "./runner-room.ts";
import { say } from "./say.ts";
import { maskSecrets, refuseSecrets, refuseSources, variablesOf } from "./secrets.ts";
import { readSettings, type StepSettings } from "./settings.ts";
import type { StepResult } from "./step-result.ts";
import { rememberStep } from "./step-state.ts";
import { structuredOutput } from "./structured-output.ts";
import { failedSummary } from "./summary.ts";
import { workspaceName } from "./workspace-name.ts";

/**
 * The step from its inputs to its outputs. What fails before there is a result is told the same way: as outputs,
 * a summary and the step's failure.
 */
export async function runStep(): Promise<void> {
  const output = new GuestOutput("stream", (text) => process.stdout.write(text));
  using cancellation = listenForCancellation(() => output.close(false));
  try {
    await run(output, cancellation.signal);
  } catch (failure) {
    const cancelled = failure instanceof CancelledError || cancellation.signal.aborted;
    const conclusion = cancelled ? "cancelled" : isOurs(failure) ? "infra-error" : "failure";
    setOutput("conclusion", conclusion);
    setOutput("exit-code", cancelled ? 130 : isMicroagentError(failure) ? exitCodeOf(failure) : 1);
    const message = cancelled ? new CancelledError().message : messageFor(failure);
    setFailed(message);
    if (readInput("summary") === "true") {
      await summary
        .addRaw(failedSummary(conclusion, message), true)
        .write()
        .catch(() => {
          // The log has it.
        });
    }
  }
}

/** How a run ended whose step was cancelled, also where its command had come to an end before that. */
const cancelledRun: Termination = { kind: "interrupted", signal: "SIGINT" };

/** Not of the caller's making: another host, another time or another version of us would do. */
function isOurs(failure: unknown): boolean {
  return isMicroagentError(failure) && failure.blame !== "user";
}

async function run(output: GuestOutput, signal: AbortSignal): Promise<void> {
  const settings = readSettings(readInput);
  output.mode = settings.log;
  const job = await readJob();
  const annotations = new Annotations(
    settings.annotations === "off"
      ? { error: say, warning: say, notice: say }
      : { error, warning, notice },
  );
  if (settings.annotations === "off") silenceMatchers();
  const spec = await readSpec(settings, annotations);
  const name = await workspaceName(settings.name, spec?.spec.name, job.temp);
  const paths = stepPaths(job.temp, name);
  const flags = flagsOf(settings, { name, outputDir: paths.outputs }, spec);
  const asked = await planRun("dispatch", flags, settings.file ?? undefined);
  const plan = withinRunner(idleWhenKept(settings, asked));
  const sources = await hostSourcesOf(plan);
  const variables = await variablesOf(plan, sources);
  maskSecrets(variables);
  refuseSecrets(plan, variables, job.event);
  await refuseSources(sources.files, job.workspace);

  // The name is known to be one by now. Whatever happens from here, the post step can end it.
  rememberStep({
    workspace: name,
    stateDir: paths.state,
    outputs: paths.outputs,
    keep: settings.keep,
    upload: settings.uploadArtifacts ? artifactName(settings.artifactName, job.id, name) : "",
    retentionDays: String(settings.artifactRetentionDays ?? ""),
  });
  const caches = new StepCaches({
    mode: settings.cache,
    event: job.event,
    stateDir: paths.state,
    signal,
    notice: (text) => notice(text),
  });
  const stay = keepsOnMachine(job);
  if (!stay) await caches.restore(entryOfKernel(paths.state));
  const fixesKvm = settings.fixKvm && settings.accel !== "tcg";
  const beforeFix = fixesKvm ? (kvmMode: string) => rememberStep({ kvmMode }) : null;
  const host = await checkHost(paths.state, isBuiltHere(plan.image), beforeFix, signal);
  sayAcceleration(settings, host);
  // Only now it is known what a saved machine must agree with.
  const { image, template } = await entriesOfHost(paths.state, settings, plan, host);
  if (!stay) await caches.restore(image);
  if (template !== null) await caches.restore(template);
  const hits = [...caches.hits].join(", ");
  say(hits === "" ? "Caches: nothing was restored" : `Caches: restored ${hits}`);

  if (settings.githubToken !== null) {
    await loginToRegistry(settings.githubToken, job.server, join(paths.run, "registry"));
  }
  // As late as can be: it is of use for minutes.
  if (settings.oidcAudience !== null) {
    await untilCancelled(signal, provideIdToken(settings.oidcAudience));
  }
  const ran = await runMachine(settings, job, paths, plan, output, signal);
  const result = signal.aborted ? { ...ran, termination: cancelledRun } : ran;
  await finish(settings, job, paths, plan, spec, result, annotations, cacheHitOf(caches, result));
  if (!signal.aborted && result.boot !== null) {
    const made = template !== null && /built/.test(result.template?.how ?? "");
    const renewed = new Map(made ? [["template", template] as const] : []);
    await caches.save(`${job.runId}-${job.attempt}-${name}`, renewed);
  }
  rememberStep({ done: true });
}

/** A machine for later steps that nobody gave a command waits for them: its image's own might never end. */
function idleWhenKept(settings: StepSettings, plan: RunPlan): RunPlan {
  if (!settings.keep || plan.command.kind !== "image") return plan;
  return { ...plan, command: { kind: "shell", text: ":" } };
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
    annotations.finish();
    throw failure;
  }
}

function sayAcceleration(settings: StepSettings, host: Diagnosis): void {
  if (settings.accel === "tcg") {
    say('Acceleration: tcg. Input "accel" asks for it');
    return;
  }
  if (host.supervisor === null) return;
  const { accel, accelReason } = host.supervisor.host;
  const text = `Acceleration: ${accel}. ${accelReason}`;
  if (accel === "tcg") warning(`${text}. Machines run, but much slower than with KVM`);
  else say(text);
}

async function finish(
  settings: StepSettings,
  job: Job,
  paths: StepPaths,
  plan: RunPlan,
  spec: LoadedSpec | null,
  result: StepResult,
  annotations: Annotations,
  cacheHit: string,
): Promise<void> {
  const egress = egressFacts(result);
  tellReceipt(result, egress);
  const patchFile = await bringWorkspaceBack(settings, job, paths);
  const structured = await structuredOutput(settings.structuredOutput, result, paths.outputs);
  if (settings.report) await addReport(paths);
  const artifact = await upload(settings, job, paths, result);
  await tellJob(settings, plan, result, egress, {
    cacheHit,
    patchFile,
    structuredOutput: structured.text,
    artifact,
    artifactUrl: artifact === null ? "" : job.artifactUrl(artifact.id),
    receiptFile: await outputFile(paths, "egress.jsonl"),
    resultFile: await outputFile(paths, "result.json"),
  });
  const failures = failuresOf(result, egress.deniedCount, settings.failOn);
  if (structured.problem !== null) {
    annotations.add("warning", structured.problem, { title: "microagent: artifacts" });
    if (settings.failOn.has("missing-artifact")) failures.push(structured.problem);
  }
  annotateRun(annotations, plan, result, egress, spec, settings.ifNoArtifacts, failures);
  if (failures.length === 0) return;
  process.exitCode = 1;
  // How it ended is shown already, at its place in the Agentfile.
  const shown = settings.annotations === "off" ? null : sentenceOf(result.termination);
  const rest = failures.filter((failure) => failure !== shown);
  if (rest.length > 0) setFailed(rest.join("; "));
}

async function upload(
  settings: StepSettings,
  job: Job,
  paths: StepPaths,
  result: StepResult,
): Promise<UploadedArtifact | null> {
  // A cancelled step has seconds: what it leaves is uploaded by the post step, which has minutes.
  if (!settings.uploadArtifacts || result.termination.kind === "interrupted") return null;
  const name = artifactName(settings.artifactName, job.id, result.workspace);
  return await uploadOutputs(paths.outputs, name, settings.artifactRetentionDays);
}

/** What spared the run the most. */
function cacheHitOf(caches: StepCaches, result: StepResult): string {
  if (caches.hits.has("template") && result.template?.how === "hit") return "template";
  return caches.hits.has("image") ? "image" : "none";
}
