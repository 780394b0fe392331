import { resolve } from "node:path";
import { checkedFlag, choiceFlag } from "../flags/flag-error.ts";
import { checkCredSwapFlag, checkSecretFlag } from "../flags/secret-flag.ts";
import { checkSwaps } from "../list-checks.ts";
import { placedItems } from "../placed.ts";
import type { RunPlan } from "../plan.ts";
import { egressModes, retiredEgress } from "../schema/agent-schema.ts";
import { isHostPath } from "../schema/checks.ts";
import { isEgressHost } from "../schema/network-checks.ts";
import { fullSwap } from "../schema/secret-reference.ts";
import { egressDefault } from "../support.ts";
import { type Merging, valuesOf } from "./merging.ts";

const wantedHost = 'a host such as "api.example.com" or ".example.com"';

/** What may leave the guest; allowed hosts and credential swaps of flags and spec are joined. */
export function mergeEgress(merging: Merging): RunPlan["egress"] {
  const { flags, spec, cwd } = merging;
  const agent = spec.agent ?? {};
  const mode = merging.pick<RunPlan["egress"]["mode"]>(
    "agent.egress",
    {
      flag:
        flags.egress === undefined
          ? undefined
          : choiceFlag("--egress", flags.egress, egressModes, retiredEgress),
      spec: agent.egress,
    },
    egressDefault,
  );
  const allow = merging.union(
    "agent.allow",
    placedItems(agent.allow, ["agent", "allow"]),
    merging.flagItems("egressAllow", (host) =>
      checkedFlag("--egress-allow", host, isEgressHost, wantedHost),
    ),
  );
  const passthrough = merging.flagItems("egressPassthrough", (host) =>
    checkedFlag("--egress-passthrough", host, isEgressHost, wantedHost),
  );
  const swaps = merging.union(
    "agent.cred-swap",
    placedItems(agent["cred-swap"], ["agent", "cred-swap"]),
    merging.flagItems("credSwap", checkCredSwapFlag),
  );
  merging.refuse(checkSwaps(swaps));
  const path = (flag: string, value: string | undefined) =>
    value === undefined
      ? undefined
      : resolve(cwd, checkedFlag(flag, value, isHostPath, "the path of a host file"));
  return {
    mode,
    allow: unique(valuesOf(allow).map(hostKey)),
    passthrough: unique(
      valuesOf(merging.union("egress.passthrough", [], passthrough)).map(hostKey),
    ),
    policyFile: merging.pick<string | null>(
      "egress.policyFile",
      { flag: path("--egress-policy", flags.egressPolicy) },
      null,
    ),
    credSwap: unique(valuesOf(swaps).map(fullSwap)),
    swapConfigFile: merging.pick<string | null>(
      "egress.swapConfigFile",
      { flag: path("--egress-swap-config", flags.egressSwapConfig) },
      null,
    ),
    brokers: merging.pick(
      "agent.brokers",
      { spec: agent.brokers ?? (agent.broker === undefined ? undefined : [agent.broker]) },
      [],
    ),
  };
}

/** Secrets exist only as flags: references, never values. */
export function mergeSecrets(merging: Merging): RunPlan["secrets"] {
  const { flags, cwd } = merging;
  const files = merging.flagItems("secret", (text) => checkSecretFlag("--secret", text));
  const onDemand = merging.flagItems("secretOnDemand", (text) =>
    checkSecretFlag("--secret-on-demand", text),
  );
  const envFiles = merging.flagItems("secretsEnvFile", (path) =>
    resolve(cwd, checkedFlag("--secrets-env-file", path, isHostPath, "the path of a host file")),
  );
  return {
    files: valuesOf(merging.union("secrets.files", [], files)),
    onDemand: valuesOf(merging.union("secrets.onDemand", [], onDemand)),
    envFiles: valuesOf(merging.union("secrets.envFiles", [], envFiles)),
    audit: merging.pick("secrets.audit", { flag: flags.secretsAudit }, false),
  };
}

function hostKey(host: string): string {
  return host.toLowerCase().replace(/\.$/, "");
}

function unique(items: readonly string[]): readonly string[] {
  return [...new Set(items)];
}
