import { limits } from "../base/limits.ts";
import { bytesText, durationText } from "../base/quantity.ts";
import type { AuditRecord } from "../egress/audit-event.ts";
import type { AuditReading } from "../egress/audit-log.ts";
import { html, type Markup } from "./markup.ts";
import { outcomeOf, outcomeText, wallMs } from "./outcome.ts";
import { pageStyle } from "./page-style.ts";
import type { RecordedRun } from "./recorded-run.ts";
import { timeline } from "./timeline.ts";

/**
 * One self-contained page about a run: no script, nothing loaded from anywhere, every text of the
 * guest escaped.
 *
 * @param egress the decisions of the run; null when none were recorded
 */
export function reportPage(run: RecordedRun, egress: AuditReading | null): string {
  const outcome = outcomeOf(run);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${run.workspace}: ${outcome}</title>
<style>${pageStyle}</style>
</head>
<body>
<header class="${outcome}">
<h1>${run.workspace}</h1>
<p class="outcome">${outcomeText(run)}</p>
</header>
<main>
${facts(run)}
<section id="timeline"><h2>Timeline</h2>
${timeline(run)}</section>
<section id="console"><h2>Console</h2>
${consoleOf(run)}</section>
<section id="egress"><h2>Egress</h2>
${egressOf(run, egress)}</section>
<section id="artifacts"><h2>Artifacts</h2>
${artifactsOf(run)}</section>
</main>
</body>
</html>
`;
  return page.text;
}

function facts(run: RecordedRun): Markup {
  const rows: [string, string][] = [
    ["Exit code", String(run.exit_code)],
    ["Took", durationText(wallMs(run))],
    ["Started", run.result?.started_at ?? "the command never started"],
    ["Image", run.image === null ? "none" : `${run.image.reference} (${run.image.digest})`],
    ["Kernel", run.kernel === null ? "none" : `${run.kernel.version} (${run.kernel.flavor})`],
    ["Backend", run.backend ?? "none"],
    [
      "Acceleration",
      run.acceleration === null ? "none" : `${run.acceleration.accel}: ${run.acceleration.reason}`,
    ],
  ];
  if (run.boot?.retry_reason != null) rows.push(["Boot started over", run.boot.retry_reason]);
  if (run.error?.hint != null) rows.push(["Hint", run.error.hint]);
  return html`<table class="facts"><tbody>
${rows.map(([name, value]) => html`<tr><th>${name}</th><td>${value}</td></tr>\n`)}</tbody></table>`;
}

function consoleOf(run: RecordedRun): Markup {
  if (run.result === null) return html`<p class="none">The command never started.</p>`;
  const { stdout, stderr, stdout_truncated, stderr_truncated } = run.result;
  return html`${stream("Standard output", stdout, stdout_truncated)}
${stream("Standard error", stderr, stderr_truncated)}`;
}

function stream(title: string, text: string, truncated: boolean): Markup {
  if (text === "") return html`<p class="none">${title}: nothing.</p>`;
  const max = limits.report.consoleBytesMax;
  const shown = text.length > max ? text.slice(-max) : text;
  const cut = truncated || shown.length < text.length ? " (not whole)" : "";
  return html`<details open><summary>${title}${cut}</summary><pre>${shown}</pre></details>`;
}

function egressOf(run: RecordedRun, egress: AuditReading | null): Markup {
  if (egress === null) {
    const why =
      run.audit == null ? "The run had no network." : "The decisions are not in this directory.";
    return html`<p class="none">${why}</p>`;
  }
  const problem =
    egress.integrity === "complete"
      ? ""
      : html`<p class="warning">This record is not whole: ${egress.integrity.problem}</p>`;
  if (egress.events.length === 0) return html`${problem}<p class="none">Nothing was asked for.</p>`;
  const { rowsMax } = limits.report;
  const rows = egress.events.slice(0, rowsMax).map(decision);
  return html`${problem}<table class="rows"><thead><tr><th>Time</th><th>Decision</th><th>Host</th><th>Destination</th><th>Reason</th></tr></thead><tbody>
${rows}</tbody></table>${more(egress.events.length - rows.length, "decisions")}`;
}

function decision(event: AuditRecord): Markup {
  const denied = /_deny$|_error$|_exceeded$/.test(event.event);
  const signal = event.signal === undefined ? "" : ` [${event.signal}]`;
  return html`<tr class="${denied ? "bad" : "good"}"><td>${event.ts}</td><td>${event.event}</td><td>${event.host}</td><td>${event.dst}</td><td>${event.reason}${signal}</td></tr>
`;
}

function artifactsOf(run: RecordedRun): Markup {
  const { rowsMax } = limits.report;
  const rows = run.artifacts.slice(0, rowsMax).map(
    (file) =>
      html`<tr><td>${file.path}</td><td>${file.guest_path}</td><td class="number">${bytesText(file.size)}</td><td>${file.mode}</td><td class="hash">${file.sha256 ?? ""}</td></tr>
`,
  );
  const table =
    rows.length === 0
      ? html`<p class="none">Nothing came out.</p>`
      : html`<table class="rows"><thead><tr><th>File</th><th>In the guest</th><th>Size</th><th>Mode</th><th>SHA-256</th></tr></thead><tbody>
${rows}</tbody></table>${more(run.artifacts.length - rows.length, "files")}`;
  const losses = [
    ...run.artifacts_missing.map((name) => `Output "${name}" does not exist in the guest`),
    ...run.artifacts_incomplete.map(
      ({ name, error }) => `Output "${name}" is not whole: ${error.message}`,
    ),
    ...run.artifacts_omitted
      .slice(0, rowsMax)
      .map((entry) => `${entry.guest_path} (${entry.type}) was left out: ${entry.reason}`),
  ];
  return html`${table}${losses.map((text) => html`<p class="warning">${text}</p>\n`)}`;
}

function more(count: number, what: string): Markup {
  return count > 0 ? html`<p class="none">And ${count} more ${what}.</p>` : html``;
}
