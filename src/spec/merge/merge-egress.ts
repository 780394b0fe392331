import { resolve } from "node:path";
import { MicroagentError } from "../../base/errors.ts";
import { parseEgressHostFlag } from "../flags/egress-host-flag.ts";
import { bytesFlag, checkedFlag, choiceFlag, wholeFlag } from "../flags/flag-error.ts";
import { checkCredSwapFlag, checkSecretFlag } from "../flags/secret-flag.ts";
import { checkSwaps } from "../list-checks.ts";
import { type Placed, placedItems } from "../placed.ts";
import type { RunPlan } from "../plan.ts";
import { type EgressMode, egressModes, retiredEgress } from "../schema/agent-schema.ts";
import { isHostPath } from "../schema/checks.ts";
import { isEgressHost, wantedEgressHost } from "../schema/network-checks.ts";
import { anchoredSwap, fullSwap } from "../schema/secret-reference.ts";
import { egressDefault } from "../support.ts";
import { type Merging, valuesOf } from "./merging.ts";

const totalBytesDefault = 50 * 1024 ** 3;
const connectionsDefault = 256;

/**
 * What may leave the guest; the hosts of flags, spec and policy file are joined, the credential swaps
 * of flags and spec too.
 */
export function mergeEgress(merging: Merging): RunPlan["egress"] {
  const { flags, spec, cwd } = merging;
  const agent = spec.agent ?? {};
  const mode = mergeMode(merging);
  const allow = merging.union("agent.allow", placedItems(agent.allow, ["agent", "allow"]), [
    ...merging.flagItems("egressAllow", (host) =>
      checkedFlag("--egress-allow", host, isEgressHost, wantedEgressHost),
    ),
    ...fromPolicy(merging.policy?.allow),
  ]);
  const passthrough = [
    ...merging.flagItems("egressPassthrough", (host) =>
      checkedFlag("--egress-passthrough", host, isEgressHost, wantedEgressHost),
    ),
    ...fromPolicy(merging.policy?.passthrough),
  ];
  const swaps = merging.union(
    "agent.cred-swap",
    placedItems(agent["cred-swap"], ["agent", "cred-swap"]).map(({ value, place }) => ({
      value: anchoredSwap(value, merging.baseDir),
      place,
    })),
    merging.flagItems("credSwap", (text) => anchoredSwap(checkCredSwapFlag(text), cwd)),
  );
  merging.refuse(checkSwaps(swaps));
  if (mode === "off" && swaps.length > 0) {
    merging.notes.push(
      'Egress "off" looks at nothing, so no credential is swapped: requests leave as the guest made them',
    );
  }
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
    caps: mergeCaps(merging),
    caFiles: valuesOf(
      merging.union(
        "egress.caFiles",
        [],
        merging.flagItems("egressCa", (file) => path("--egress-ca", file) ?? file),
      ),
    ),
    standIns: valuesOf(
      merging.union("egress.standIns", [], merging.flagItems("egressHost", parseEgressHostFlag)),
    ),
    brokers: merging.pick(
      "agent.brokers",
      { spec: agent.brokers ?? (agent.broker === undefined ? undefined : [agent.broker]) },
      [],
    ),
  };
}

/** `--egress-lock-allowlist` is another word for "strict", and contradicts "off". */
function mergeMode(merging: Merging): EgressMode {
  const { flags, spec } = merging;
  const flag =
    flags.egress === undefined
      ? undefined
      : choiceFlag("--egress", flags.egress, egressModes, retiredEgress);
  const locked = flags.egressLockAllowlist === true;
  if (locked && flag === "off") {
    throw new MicroagentError(
      "usage",
      "Flag --egress-lock-allowlist contradicts --egress off: wanted one of them",
    );
  }
  return merging.pick<EgressMode>(
    "agent.egress",
    { flag: locked ? "strict" : flag, spec: spec.agent?.egress },
    egressDefault,
  );
}

function mergeCaps(merging: Merging): RunPlan["egress"]["caps"] {
  const { egressMaxBytesPerSec, egressMaxTotalBytes, egressMaxConns } = merging.flags;
  const bytes = (flag: string, value: string | number | undefined) =>
    value === undefined ? undefined : bytesFlag(flag, value);
  return {
    bytesPerSecond: merging.pick<number | null>(
      "egress.maxBytesPerSec",
      { flag: bytes("--egress-max-bytes-per-sec", egressMaxBytesPerSec) },
      null,
    ),
    totalBytes: merging.pick(
      "egress.maxTotalBytes",
      { flag: bytes("--egress-max-total-bytes", egressMaxTotalBytes) },
      totalBytesDefault,
    ),
    connections: merging.pick(
      "egress.maxConns",
      {
        flag:
          egressMaxConns === undefined
            ? undefined
            : wholeFlag("--egress-max-conns", egressMaxConns, 1, 65_536, ""),
      },
      connectionsDefault,
    ),
  };
}

function fromPolicy(hosts: readonly string[] | undefined): Placed<string>[] {
  return (hosts ?? []).map((value) => ({
    value,
    place: { kind: "flag", flag: "--egress-policy" },
  }));
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
