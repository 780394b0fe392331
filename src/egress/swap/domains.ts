import { MicroagentError } from "../../base/errors.ts";
import { type HostRule, parseHostRule } from "../host-rule.ts";
import type { SwapRule } from "./rule.ts";

/** A rule and the hosts it is for, each with its port. */
export interface SwapDomains {
  readonly rule: SwapRule;
  readonly domains: readonly HostRule[];
}

/** Reads the hosts of rules. `invalid_argument` for what is no name, and for a host that two rules want. */
export function withDomains(rules: readonly SwapRule[]): readonly SwapDomains[] {
  const swaps = rules.map((rule) => ({
    rule,
    domains: rule.domains.map((domain) => domainOf(rule, domain)),
  }));
  refuseSharedDomains(swaps);
  return swaps;
}

function domainOf(rule: SwapRule, text: string): HostRule {
  const parsed = parseHostRule(text);
  const problem =
    typeof parsed === "string"
      ? parsed
      : parsed.name === null
        ? `Host "${text}" is an address, wanted a name: a credential belongs to a certificate's name`
        : null;
  if (problem !== null || typeof parsed === "string") {
    throw new MicroagentError("invalid_argument", `Swap "${rule.name}": ${problem}`);
  }
  return { ...parsed, port: parsed.port ?? 443 };
}

function refuseSharedDomains(swaps: readonly SwapDomains[]): void {
  const owners = new Map<string, string>();
  for (const { rule, domains } of swaps) {
    for (const { name, subdomains, port } of domains) {
      const key = `${subdomains ? "." : ""}${name}:${port}`;
      const other = owners.get(key);
      if (other !== undefined) {
        throw new MicroagentError(
          "invalid_argument",
          `Swaps "${other}" and "${rule.name}" are both for "${key}": wanted one credential for a host`,
        );
      }
      owners.set(key, rule.name);
    }
  }
}
