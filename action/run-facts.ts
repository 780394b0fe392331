import { exitCodeFor, plainText, type RunPlan } from "../src/index.ts";
import { conclusionOf, sentenceOf } from "./conclusion.ts";
import type { OutputName } from "./outputs.ts";
import type { StepResult } from "./step-result.ts";
import type { SummaryFacts } from "./summary.ts";

/** What was decided about the guest's network, as the result has it. */
export interface EgressFacts {
  readonly allowed: readonly (readonly [string, number])[];
  readonly denied: readonly (readonly [string, number])[];
  readonly allowedCount: number;
  readonly deniedCount: number;
  readonly problem: string | null;
}

export function egressFacts(result: StepResult): EgressFacts {
  const { audit } = result;
  const allowed = Object.entries(audit?.allow_by_host ?? {});
  const denied = Object.entries(audit?.deny_by_host ?? {});
  return {
    allowed: allowed.sort(mostFirst),
    denied: denied.sort(mostFirst),
    allowedCount: sum(allowed),
    deniedCount: sum(denied),
    problem: audit === null || audit.integrity === "complete" ? null : audit.integrity.problem,
  };
}

export interface RunSurroundings {
  readonly cacheHit: string;
  readonly patchFile: string;
  readonly structuredOutput: string;
  readonly receiptFile: string;
  readonly resultFile: string;
  readonly artifact: { readonly id: string; readonly digest: string } | null;
  readonly artifactUrl: string;
}

/** Every output of the step; none of their names comes from anywhere but here. */
export function outputValues(
  result: StepResult,
  egress: EgressFacts,
  around: RunSurroundings,
): Record<OutputName, string> {
  const { artifacts } = result.outputs;
  return {
    "exit-code": String(exitCodeFor(result.termination)),
    conclusion: conclusionOf(result.termination),
    workspace: result.workspace,
    "image-digest": result.boot?.image.digest ?? "",
    "result-file": around.resultFile,
    "receipt-file": around.receiptFile,
    "egress-allowed": String(egress.allowedCount),
    "egress-denied": String(egress.deniedCount),
    "denied-hosts": JSON.stringify(egress.denied.slice(0, 50).map(([host]) => host)),
    "artifacts-dir": result.outputDir ?? "",
    artifacts: boundedList(
      artifacts.slice(0, 1000).map(({ output, path, sizeBytes, sha256 }) => ({
        name: output,
        path,
        size: sizeBytes,
        sha256,
      })),
    ),
    "artifact-id": around.artifact?.id ?? "",
    "artifact-url": around.artifactUrl,
    "artifact-digest": around.artifact?.digest ?? "",
    "stdout-tail": lastBytes(plainText(result.stdout.text()), 16 * 1024),
    "structured-output": around.structuredOutput,
    usage: JSON.stringify(usageOf(result)),
    "patch-file": around.patchFile,
    "boot-ms": String(Math.round(bootMs(result))),
    "duration-ms": String(Math.round(durationMs(result))),
    "cache-hit": around.cacheHit,
    accel: result.boot?.host.accel ?? "",
  };
}

/** Tokens by model, the most expensive first. */
export interface ModelTokens {
  readonly model: string;
  readonly answers: number;
  readonly input_tokens: number;
  readonly output_tokens: number;
}

function usageOf({ audit }: StepResult): ModelTokens[] {
  return Object.entries(audit?.usage_by_model ?? {})
    .map(([model, counts]) => ({ model, ...counts }))
    .sort((a, b) => b.output_tokens - a.output_tokens);
}

export function summaryFacts(
  result: StepResult,
  plan: RunPlan,
  egress: EgressFacts,
  around: RunSurroundings,
): SummaryFacts {
  const { boot } = result;
  const shown = ["boot/image", "boot", "setup", "run", "outputs"];
  return {
    conclusion: conclusionOf(result.termination),
    sentence: sentenceOf(result.termination),
    workspace: result.workspace,
    image: boot?.image.reference ?? plan.image,
    digest: boot?.image.digest ?? "",
    accel: boot?.host.accel ?? "none",
    accelReason: boot?.host.accelReason ?? "nothing was booted",
    cpus: plan.resources.cpus,
    memoryMib: plan.resources.memoryMib,
    times: Object.entries(result.timingsMs)
      .filter(([step]) => shown.includes(step))
      .map(([step, ms]) => [step.replace("boot/image", "pull"), ms]),
    cacheHit: around.cacheHit,
    allowed: egress.allowed,
    denied: egress.denied,
    auditProblem: egress.problem,
    usage: usageOf(result),
    artifacts: result.outputs.artifacts.map(({ path, sizeBytes, sha256 }) => ({
      path,
      size: sizeBytes,
      sha256,
    })),
    artifactUrl: around.artifactUrl === "" ? null : around.artifactUrl,
    missing: result.outputs.missing,
    outputTail: plainText(`${result.stdout.text()}${result.stderr.text()}`).slice(-20_000),
  };
}

function bootMs(result: StepResult): number {
  return ["boot/start", "boot/handshake", "boot/configure"]
    .map((step) => result.timingsMs[step] ?? 0)
    .reduce((total, ms) => total + ms, 0);
}

function durationMs(result: StepResult): number {
  return result.timeline.reduce((end, span) => Math.max(end, span.startMs + span.ms), 0);
}

/** All outputs of a job together may have a mebibyte, counted as UTF-16. */
const listLength = 200_000;

/** JSON of as many items as fit. */
function boundedList(items: readonly unknown[]): string {
  const texts: string[] = [];
  let length = 2;
  for (const item of items) {
    const text = JSON.stringify(item);
    length += text.length + 1;
    if (length > listLength) break;
    texts.push(text);
  }
  return `[${texts.join(",")}]`;
}

function lastBytes(text: string, max: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= max) return text;
  // A character cut in half at the front shows as replaced: it goes.
  return bytes
    .subarray(-max)
    .toString("utf8")
    .replace(/^\ufffd+/, "");
}

function mostFirst([a, x]: readonly [string, number], [b, y]: readonly [string, number]): number {
  return y - x || (a < b ? -1 : 1);
}

function sum(entries: readonly (readonly [string, number])[]): number {
  return entries.reduce((total, [, count]) => total + count, 0);
}
