import { terminalLine } from "../../base/foreign-text.ts";
import type { AllowSuggestion, AuditReceipt, DispatchResult } from "../../index.ts";

/** Hosts beyond this many are counted, not listed. */
const listedMax = 30;

/** What a run did on the network, host by host, and how to allow what it was denied. */
export function egressReceipt(
  result: DispatchResult,
  suggestion: AllowSuggestion | null,
  specFile: string | null,
): string[] {
  const { audit, network } = result;
  if (audit === null || network?.egress == null) return [];
  const allowed = Object.values(audit.allow_by_host).reduce((sum, each) => sum + each, 0);
  const denied = Object.values(audit.deny_by_host).reduce((sum, each) => sum + each, 0);
  const lines: string[] = [];
  if (audit.decision_count > 0) {
    lines.push(`egress (${network.egress}): ${allowed} allowed, ${denied} denied`);
    lines.push(...hostLines(audit));
  }
  if (audit.integrity !== "complete") {
    lines.push(`warning: the egress audit is not complete: ${audit.integrity.problem}`);
  }
  if ((audit.by_event.egress_cap_exceeded ?? 0) > 0) {
    lines.push("warning: a bound on traffic was reached (raise it with --egress-max-...)");
  }
  lines.push(...usageLines(audit));
  lines.push(...credentialLines(audit.by_event));
  if (suggestion !== null) {
    const where = specFile ?? "an Agentfile";
    lines.push(`to allow what was denied, in ${where}:`);
    lines.push(...suggestion.yaml.split("\n").map((line) => `  ${line}`));
    if (specFile === null) {
      const flags = suggestion.hosts.map((host) => `--egress-allow ${host}`).join(" ");
      lines.push(`or: ${flags}`);
    }
  }
  return lines.map((line) => terminalLine(line));
}

/** Tokens, as the servers of swapped credentials counted them. */
function usageLines({ usage_by_model: usage = {} }: AuditReceipt): string[] {
  return Object.entries(usage).map(
    ([model, { input_tokens, output_tokens }]) =>
      `tokens: ${input_tokens} in, ${output_tokens} out (${model})`,
  );
}

/** A swap that fails shows in the guest as an answer that only the host can explain. */
function credentialLines(byEvent: Readonly<Record<string, number>>): string[] {
  const { egress_swap_error: swaps = 0, egress_mitm_upstream_error: upstreams = 0 } = byEvent;
  const count = (number: number, what: string) => `${number} ${what}${number === 1 ? "" : "s"}`;
  return [
    ...(swaps === 0
      ? []
      : [
          `warning: ${count(swaps, "credential")} could not be had or came back in an answer (egress_swap_error in egress.jsonl)`,
        ]),
    ...(upstreams === 0
      ? []
      : [
          `warning: ${count(upstreams, "connection")} to servers of swapped credentials failed (egress_mitm_upstream_error in egress.jsonl)`,
        ]),
  ];
}

function hostLines(audit: AuditReceipt): string[] {
  const { allow_by_host: allowed, deny_by_host: denied, deny_reasons: reasons = {} } = audit;
  const hosts = [...new Set([...Object.keys(allowed), ...Object.keys(denied)])].sort();
  const shown = hosts.slice(0, listedMax).map((host) => {
    const parts = [
      ...(Object.hasOwn(allowed, host) ? [`${allowed[host]} allowed`] : []),
      ...(Object.hasOwn(denied, host) ? [`${denied[host]} denied`] : []),
    ];
    const why = Object.hasOwn(reasons, host) ? ` (${reasons[host]})` : "";
    return `  ${host}: ${parts.join(", ")}${why}`;
  });
  const rest = hosts.length - shown.length;
  return rest === 0 ? shown : [...shown, `  and ${rest} more hosts`];
}
