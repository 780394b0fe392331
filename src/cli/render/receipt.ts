import { withoutControls } from "../../base/foreign-text.ts";
import { bytesText, durationText } from "../../base/quantity.ts";
import type { DispatchResult } from "../../index.ts";
import type { Terminal } from "../terminal.ts";
import { templateLine } from "./template-line.ts";

/** Artifacts beyond this many are counted, not listed. */
const listedMax = 20;

/** What a run leaves on stderr: how it ended, where it ran, what came out. */
export function receiptText(
  result: DispatchResult,
  terminal: Terminal,
  egress: readonly string[],
): string {
  const dim = (text: string) =>
    terminal.color ? `\u001b[2m${withoutControls(text)}\u001b[22m` : withoutControls(text);
  const lines: string[] = [];
  const boot = result.boot;
  if (boot !== null) {
    const times = result.timingsMs;
    const verb = times["boot/clone"] === undefined ? "booted" : "cloned";
    const parts = [
      `${verb} in ${durationText(bootMs(times))} (${boot.host.accel}, kernel ${boot.kernel.image.version})`,
      ...(times.run === undefined ? [] : [`ran ${durationText(times.run)}`]),
    ];
    lines.push(dim(`${result.workspace}: ${parts.join(", ")}`));
    lines.push(dim(`acceleration: ${boot.host.accelReason}`));
    const template = templateLine(result);
    if (template !== null) lines.push(dim(template));
    if (boot.attempts > 1)
      lines.push(`warning: the first boot was started over: ${boot.retryReason}`);
  }
  const end = result.termination;
  if (end.kind === "timed_out") {
    lines.push(`timed out after ${durationText(end.timeoutMs)} (raise it with --timeout)`);
  } else if (end.kind === "signaled") {
    lines.push(`ended by ${end.signal}`);
  } else if (end.kind === "interrupted") {
    lines.push(`interrupted by ${end.signal ?? "the caller"}`);
  }
  if ("oomKilled" in end && end.oomKilled) {
    lines.push("the guest ran out of memory (raise it with --memory)");
  }
  lines.push(...egress);
  lines.push(...outputLines(result).map(withoutControls));
  if (result.keptAt !== null) lines.push(`workspace kept at ${result.keptAt}`);
  return lines.map((line) => `${line}\n`).join("");
}

function outputLines(result: DispatchResult): string[] {
  const { artifacts, omissions, missing, incomplete } = result.outputs;
  const lines: string[] = [];
  if (artifacts.length > 0) {
    lines.push(`outputs in ${result.outputDir}:`);
    for (const artifact of artifacts.slice(0, listedMax)) {
      lines.push(`  ${artifact.path}  ${bytesText(artifact.sizeBytes)}`);
    }
    if (artifacts.length > listedMax) {
      lines.push(`  and ${artifacts.length - listedMax} more, see manifest.json there`);
    }
  }
  for (const name of missing) {
    lines.push(`warning: output "${name}" does not exist in the guest`);
  }
  for (const entry of incomplete) {
    lines.push(`warning: output "${entry.output}" is not complete: ${entry.error.message}`);
  }
  if (omissions.length > 0) {
    lines.push(`warning: ${omissions.length} entries were left out, see manifest.json:`);
    for (const omission of omissions.slice(0, 5)) {
      lines.push(`  ${omission.guestPath}: ${omission.reason}`);
    }
  }
  return lines;
}

function bootMs(times: Readonly<Record<string, number>>): number {
  return ["boot/start", "boot/handshake", "boot/configure", "boot/clone"]
    .map((step) => times[step] ?? 0)
    .reduce((sum, ms) => sum + ms, 0);
}
