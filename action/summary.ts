import { durationText } from "../src/index.ts";
import type { Conclusion } from "./conclusion.ts";
import { summaryBlock, summaryText } from "./escape.ts";
import type { ModelTokens } from "./run-facts.ts";

/** What the job's summary shows of one run; every text may be the guest's. */
export interface SummaryFacts {
  readonly conclusion: Conclusion;
  readonly sentence: string;
  readonly workspace: string;
  readonly image: string;
  readonly digest: string;
  readonly accel: string;
  readonly accelReason: string;
  readonly cpus: number;
  readonly memoryMib: number;
  readonly times: readonly (readonly [string, number])[];
  readonly cacheHit: string;
  readonly allowed: readonly (readonly [string, number])[];
  readonly denied: readonly (readonly [string, number])[];
  /** What is wrong with the record of decisions, null when it is whole. */
  readonly auditProblem: string | null;
  /** Tokens that model providers counted. */
  readonly usage: readonly ModelTokens[];
  readonly artifacts: readonly {
    readonly path: string;
    readonly size: number;
    readonly sha256: string | null;
  }[];
  readonly artifactUrl: string | null;
  readonly missing: readonly string[];
  /** The end of the output. */
  readonly outputTail: string;
}

/** Bytes one summary may have: a fifth of what a step gets, so that five runs fit. */
export const summaryBytesMax = 200_000;
const hostsMax = 20;
const artifactsMax = 50;

const marks: Readonly<Record<Conclusion, string>> = {
  success: "✅",
  failure: "❌",
  timeout: "⏱️",
  cancelled: "🚫",
  "infra-error": "⚠️",
};

/** Markdown with HTML tables, within the budget: details go first, then rows, and the text says so. */
export function summaryOf(facts: SummaryFacts): string {
  const head = headOf(facts);
  const usage = usageTable(facts.usage);
  const tables = [egressOf(facts, hostsMax), usage, artifactsOf(facts, artifactsMax)];
  const whole = [head, ...tables, detailsOf(facts.outputTail)].join("\n");
  if (bytes(whole) <= summaryBytesMax) return whole;
  const cut = "\n<p>The output is left out: the summary would be too long.</p>\n";
  const without = [head, ...tables, cut].join("\n");
  if (bytes(without) <= summaryBytesMax) return without;
  return [head, egressOf(facts, 3), usage, artifactsOf(facts, 3), cut].join("\n");
}

/** For what came to its end before there was a result. */
export function failedSummary(conclusion: Conclusion, message: string): string {
  const head = `### ${marks[conclusion]} microagent: ${conclusion}`;
  return `${head}\n\n<pre>${summaryBlock(message.slice(0, 10_000))}</pre>\n`;
}

function headOf(facts: SummaryFacts): string {
  const rows: [string, string][] = [
    ["Workspace", facts.workspace],
    ["Image", `${facts.image} ${facts.digest}`],
    ["Machine", `${facts.cpus} CPU, ${facts.memoryMib} MiB`],
    ["Acceleration", `${facts.accel}: ${facts.accelReason}`],
    ["Time", facts.times.map(([name, ms]) => `${name} ${durationText(ms)}`).join(", ")],
    ["Cache", facts.cacheHit],
  ];
  return [
    `### ${marks[facts.conclusion]} microagent: ${facts.conclusion}`,
    "",
    `<p>${summaryText(facts.sentence, 1000)}</p>`,
    "",
    `<table>${rows.map(([name, value]) => `<tr><th align="left">${name}</th><td>${summaryText(value)}</td></tr>`).join("")}</table>`,
    "",
  ].join("\n");
}

function egressOf(facts: SummaryFacts, max: number): string {
  const problem =
    facts.auditProblem === null
      ? ""
      : `<p>⚠️ The record of decisions is not whole: ${summaryText(facts.auditProblem)}</p>\n`;
  const rows = [
    ...facts.denied.map(([host, count]) => ["refused", host, count] as const),
    ...facts.allowed.map(([host, count]) => ["allowed", host, count] as const),
  ];
  if (rows.length === 0) return problem;
  const shown = rows
    .slice(0, max)
    .map(
      ([what, host, count]) =>
        `<tr><td>${what}</td><td>${summaryText(host)}</td><td align="right">${count}</td></tr>`,
    );
  return `${problem}<table><tr><th>Egress</th><th>Host</th><th>Times</th></tr>${shown.join("")}</table>\n${more(rows.length - shown.length, "hosts")}`;
}

const modelsMax = 20;

function usageTable(usage: SummaryFacts["usage"]): string {
  if (usage.length === 0) return "";
  const rows = usage
    .slice(0, modelsMax)
    .map(({ model, answers, input_tokens: input, output_tokens: output }) => {
      const counts = [answers, input, output].map((count) => `<td align="right">${count}</td>`);
      return `<tr><td>${summaryText(model)}</td>${counts.join("")}</tr>`;
    });
  const heads = ["Model", "Answers", "Tokens in", "Tokens out"].map((each) => `<th>${each}</th>`);
  return `<table><tr>${heads.join("")}</tr>${rows.join("")}</table>\n${more(usage.length - rows.length, "models")}`;
}

function artifactsOf(facts: SummaryFacts, max: number): string {
  const missing = facts.missing
    .slice(0, max)
    .map((name) => `<p>⚠️ Output ${summaryText(name)} does not exist in the guest</p>\n`)
    .join("");
  if (facts.artifacts.length === 0) return missing;
  const rows = facts.artifacts
    .slice(0, max)
    .map(
      ({ path, size, sha256 }) =>
        `<tr><td>${summaryText(path)}</td><td align="right">${size}</td><td><code>${(sha256 ?? "").slice(0, 64)}</code></td></tr>`,
    );
  const title =
    facts.artifactUrl === null
      ? "Artifact"
      : `<a href="${facts.artifactUrl.replace(/[^\w:/.%?=&#-]/g, "")}">Artifact</a>`;
  return `<table><tr><th>${title}</th><th>Bytes</th><th>SHA-256</th></tr>${rows.join("")}</table>\n${more(facts.artifacts.length - rows.length, "files")}${missing}`;
}

function detailsOf(tail: string): string {
  if (tail.trim() === "") return "";
  const lines = tail.split("\n").slice(-100).join("\n");
  return `<details><summary>Last lines of the output</summary>\n\n<pre>${summaryBlock(lines)}</pre>\n\n</details>\n`;
}

function more(count: number, what: string): string {
  return count > 0 ? `<p>And ${count} more ${what}.</p>\n` : "";
}

function bytes(text: string): number {
  return Buffer.byteLength(text);
}
