import type { Machine } from "../machine/machine.ts";
import type { Settings } from "../options.ts";

/** What a person reads of a machine whose test has failed. */
export function machineReport(machine: Machine, ending: string, settings: Settings): string {
  const { commands, consoleLines } = settings.onFailure;
  const { name, template, memoryMib, transcript, waitedMs } = machine;
  const waited = waitedMs < 1_000 ? "" : `, waited ${(waitedMs / 1000).toFixed(1)} s for room`;
  const lines = [
    `microVM "${name}": clone of template "${template}", ${memoryMib} MiB${waited}, ${ending}`,
  ];
  const last = transcript.last(commands);
  if (last.length > 0) lines.push("last commands:");
  for (const { what, end, stderr, stdout } of last) {
    lines.push(`  $ ${oneLine(what)}`, `    -> ${end ?? "still running"}`);
    const output = (stderr.trim() || stdout.trim()).split("\n").slice(-3);
    if (output[0] !== "") lines.push(...output.map((line) => `       ${line.slice(0, 200)}`));
  }
  const shown = consoleTail(machine.consoleTail, consoleLines);
  if (shown.length > 0) lines.push("console:", ...shown.map((line) => `  ${line}`));
  return lines.join("\n");
}

function consoleTail(text: string, count: number): readonly string[] {
  if (count === 0) return [];
  return text
    .split(/\r?\n/)
    .map((line) => line.replace(/[^\t\x20-\x7e\u00a0-\uffff]/g, "").trimEnd())
    .filter((line) => line !== "")
    .slice(-count);
}

function oneLine(text: string): string {
  const line = text.trim().replace(/\s+/g, " ");
  return line.length > 160 ? `${line.slice(0, 157)}...` : line;
}
