import { terminalLine } from "../../base/foreign-text.ts";
import { bytesText, durationText } from "../../base/quantity.ts";
import type { DispatchResult } from "../../index.ts";
import type { Terminal } from "../terminal.ts";
import { firstLines } from "./first-lines.ts";
import { templateLine } from "./template-line.ts";

/** What a run leaves on stderr: how it ended, where it ran, what came out. */
export function receiptText(
  result: DispatchResult,
  terminal: Terminal,
  egress: readonly string[],
): string {
  const line = (text: string) => terminalLine(text);
  const dim = (text: string) => (terminal.color ? `\u001b[2m${line(text)}\u001b[22m` : line(text));
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
      lines.push(line(`warning: the first boot was started over: ${boot.retryReason}`));
  }
  const end = result.termination;
  if (end.kind === "timed_out") {
    lines.push(`timed out after ${durationText(end.timeoutMs)} (raise it with --timeout)`);
  } else if (end.kind === "signaled") {
    lines.push(line(`ended by ${end.signal}`));
  } else if (end.kind === "interrupted") {
    lines.push(`interrupted by ${end.signal ?? "the caller"}`);
  }
  if ("oomKilled" in end && end.oomKilled) {
    lines.push("the guest ran out of memory (raise it with --memory)");
  }
  lines.push(...egress);
  lines.push(...outputLines(result).map(line));
  if (result.keptAt !== null) lines.push(line(`workspace kept at ${result.keptAt}`));
  return lines.map((each) => `${each}\n`).join("");
}

function outputLines(result: DispatchResult): string[] {
  const { artifacts, omissions, omissionCount, missing, incomplete } = result.outputs;
  const add = (list: readonly string[], count: number, rest: (hidden: number) => string) => {
    lines.push(...firstLines(list, count, rest));
  };
  const lines: string[] = [];
  if (artifacts.length > 0) {
    lines.push(`outputs in ${result.outputDir}:`);
    add(
      artifacts.map(({ path, sizeBytes }) => `  ${path}  ${bytesText(sizeBytes)}`),
      artifacts.length,
      (hidden) => `  and ${hidden} more, see manifest.json there`,
    );
  }
  add(
    missing.map((name) => `warning: output "${name}" does not exist in the guest`),
    missing.length,
    (hidden) => `warning: ${hidden} more outputs do not exist in the guest`,
  );
  add(
    incomplete.map(
      ({ output, error }) => `warning: output "${output}" is not complete: ${error.message}`,
    ),
    incomplete.length,
    (hidden) => `warning: ${hidden} more outputs are not complete`,
  );
  if (omissionCount > 0) {
    lines.push(`warning: ${omissionCount} entries were left out, see manifest.json:`);
    add(
      omissions.map(({ guestPath, reason }) => `  ${guestPath}: ${reason}`),
      omissionCount,
      (hidden) => `  and ${hidden} more`,
    );
  }
  return lines;
}

function bootMs(times: Readonly<Record<string, number>>): number {
  return ["boot/start", "boot/handshake", "boot/configure", "boot/clone"]
    .map((step) => times[step] ?? 0)
    .reduce((sum, ms) => sum + ms, 0);
}
