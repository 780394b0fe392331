import { visibleText } from "../base/foreign-text.ts";
import { limits } from "../base/limits.ts";
import { durationText } from "../base/quantity.ts";
import { type NamedRun, tallyOf } from "./merge.ts";
import { type Outcome, outcomeOf, outcomeText, wallMs } from "./outcome.ts";

const marks: Readonly<Record<Outcome, string>> = { passed: "✅", failed: "❌", broken: "⚠️" };

/** A table of runs for a pull request or a job's summary; guest text is plain text in it. */
export function markdownSummary(runs: readonly NamedRun[]): string {
  const { passed, failed, broken } = tallyOf(runs);
  const shown = runs.slice(0, limits.report.rowsMax);
  const denied = deniedHosts(runs);
  return [
    `**${runs.length} ${runs.length === 1 ? "run" : "runs"}: ${passed} passed, ${failed} failed, ${broken} broken**`,
    "",
    "| | Run | How it ended | Took | Acceleration | Artifacts |",
    "| --- | --- | --- | ---: | --- | ---: |",
    ...shown.map(({ name, run }) =>
      row([
        marks[outcomeOf(run)],
        cell(name),
        cell(outcomeText(run)),
        durationText(wallMs(run)),
        cell(run.acceleration?.accel ?? "none"),
        String(run.artifacts.length),
      ]),
    ),
    ...(runs.length > shown.length ? ["", `And ${runs.length - shown.length} more runs.`] : []),
    ...(denied.length > 0
      ? [
          "",
          "Refused by the egress policy:",
          "",
          ...denied.map(([host, times]) => `- ${cell(host)}: ${times}`),
        ]
      : []),
    "",
  ].join("\n");
}

/** Hosts that were refused and how often, most often first. */
function deniedHosts(runs: readonly NamedRun[]): [string, number][] {
  const hosts = new Map<string, number>();
  for (const { run } of runs) {
    for (const [host, times] of Object.entries(run.audit?.deny_by_host ?? {})) {
      hosts.set(host, (hosts.get(host) ?? 0) + times);
    }
  }
  return [...hosts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).slice(0, 20);
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

const cellLength = 300;

/** One line in which nothing is markup: no link, image, tag, mention or table cell. */
function cell(text: string): string {
  const line = visibleText(text).replace(/\s+/g, " ").trim();
  const cut = line.length > cellLength ? `${line.slice(0, cellLength)}…` : line;
  return cut.replace(
    /[&<>\\`*_{}[\]()#+!|~@$:/-]/g,
    (character) => `&#${character.charCodeAt(0)};`,
  );
}
