import type { RunPlan } from "../spec/plan.ts";
import { isEgressHost } from "../spec/schema/network-checks.ts";
import type { AuditReceipt } from "./audit-receipt.ts";

/** What would allow the hosts that a run was denied. */
export interface AllowSuggestion {
  /** Denied and listed nowhere, as a list names them: with a port where only that was denied. Sorted. */
  readonly hosts: readonly string[];
  /** The block of the spec file, the hosts it lists already included. */
  readonly yaml: string;
}

/** More hosts than these are no list that anybody wants to add. */
const hostsMax = 20;

/**
 * The lines that allow what was denied; null when nothing was, or nothing that a list would allow. The
 * names come from the guest: only what is a host is repeated.
 */
export function suggestAllow(plan: RunPlan, audit: AuditReceipt): AllowSuggestion | null {
  const listed = new Set(plan.egress.allow);
  const hosts = audit.allowable.filter((host) => isEgressHost(host) === null && !listed.has(host));
  if (hosts.length === 0 || hosts.length > hostsMax) return null;
  const all = [...allowedBySpec(plan), ...hosts].map(yamlText);
  return { hosts, yaml: `agent:\n  allow: [${all.join(", ")}]` };
}

function allowedBySpec(plan: RunPlan): readonly string[] {
  const given = plan.given.find(
    ({ field, place }) => field === "agent.allow" && place.kind === "spec",
  );
  return (given?.value as readonly string[] | undefined) ?? [];
}

/** A host as YAML reads it back. */
function yamlText(host: string): string {
  return /^[A-Za-z._][A-Za-z0-9._-]*$/.test(host) ? host : JSON.stringify(host);
}
