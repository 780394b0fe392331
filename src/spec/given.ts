import { type Flags, flagName } from "./flags.ts";
import type { GivenField } from "./plan.ts";
import type { SpecFile } from "./schema/spec-schema.ts";

/** The field a flag sets; flags without one stand for themselves. */
export const fieldOfFlag: Partial<Record<keyof Flags, string>> = {
  name: "name",
  image: "image",
  profile: "profile",
  entrypoint: "entrypoint",
  exec: "agent.entry",
  shell: "shell",
  hostname: "hostname",
  setup: "setup",
  setupFile: "setupFiles",
  env: "env",
  memory: "resources.memoryMiB",
  cpus: "resources.cpuCount",
  sizeMib: "resources.sizeMiB",
  restart: "restart",
  network: "network.mode",
  networkInterface: "network.interface",
  publish: "network.forwards",
  disk: "disks",
  bundle: "bundles",
  output: "outputs",
  egress: "agent.egress",
  egressLockAllowlist: "agent.egress",
  egressAllow: "agent.allow",
  credSwap: "agent.cred-swap",
  brokerEndpoint: "agent.brokers",
  model: "model",
  mediation: "mediation",
};

/** Blocks whose fields are told apart; other blocks count as one field. */
const opened: readonly string[] = ["network", "resources", "agent"];

/** Every field that was asked for, by spec and by flag. */
export function givenFields(flags: Flags, spec: SpecFile): readonly GivenField[] {
  const given: GivenField[] = [];
  for (const [key, value] of Object.entries(spec)) {
    if (value === undefined) continue;
    if (!opened.includes(key)) {
      given.push({ field: key, place: { kind: "spec", path: [key] }, value });
      continue;
    }
    for (const [inner, innerValue] of Object.entries(value)) {
      if (innerValue === undefined) continue;
      given.push({
        field: `${key}.${inner}`,
        place: { kind: "spec", path: [key, inner] },
        value: innerValue,
      });
    }
  }
  for (const key of Object.keys(flags) as (keyof Flags)[]) {
    const value = flags[key];
    if (value === undefined) continue;
    const flag = flagName(key);
    given.push({ field: fieldOfFlag[key] ?? flag, place: { kind: "flag", flag }, value });
  }
  return given;
}
