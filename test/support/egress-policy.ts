import { type HostRule, parseHostRule } from "../../src/egress/host-rule.ts";
import { defaultEgressCaps, type EgressPolicy } from "../../src/egress/policy.ts";

export function rules(...texts: string[]): HostRule[] {
  return texts.map((text) => {
    const rule = parseHostRule(text);
    if (typeof rule === "string") throw new TypeError(rule);
    return rule;
  });
}

export function policyOf(part: Partial<EgressPolicy>): EgressPolicy {
  return {
    mode: "guarded",
    allow: [],
    passthrough: [],
    caps: defaultEgressCaps,
    hostMap: new Map(),
    resolvers: null,
    ...part,
  };
}
