import { readFile } from "node:fs/promises";
import { setSecret } from "@actions/core";
import type { HostFileSource, HostSources, RunPlan } from "../src/index.ts";
import { type RunEvent, secretsRefusal } from "./event-trust.ts";
import { ForbiddenPlaces } from "./forbidden-places.ts";
import { idTokenVariable } from "./id-token.ts";

/** Variables that are the runner's own keys to this job: never a guest's, whoever wrote the Agentfile. */
const runnersOwn = /^(ACTIONS_|INPUT_|STATE_|MICROAGENT_GITHUB_TOKEN$)/;

/** Variables that the plan takes values from, by who is given them. */
export interface SecretVariables {
  readonly guest: readonly string[];
  /** Put into requests on the host. */
  readonly swaps: readonly string[];
}

/** `swapFile` is the text of the plan's swap file; whatever looks like a reference in it counts as one. */
export function secretVariables({ secrets, egress }: RunPlan, swapFile = ""): SecretVariables {
  const named = (text: string) => /(?:^|=)env:(\w+)$/.exec(text)?.[1] ?? [];
  const inFile = [...swapFile.matchAll(/\benv:(\w+)/g)].map(([, name = ""]) => name);
  return {
    guest: [...secrets.files, ...secrets.onDemand].flatMap(named),
    swaps: [...egress.credSwap.flatMap(named), ...inFile],
  };
}

/** The same with the swap file read, both as a text and as what it means; one that cannot be read is told where it is used. */
export async function variablesOf(plan: RunPlan, sources: HostSources): Promise<SecretVariables> {
  const file = plan.egress.swapConfigFile;
  const text = file === null ? "" : await readFile(file, "utf8").catch(() => "");
  const { guest, swaps } = secretVariables(plan, text);
  return {
    guest: [...new Set([...guest, ...sources.guestVariables])],
    swaps: [...new Set([...swaps, ...sources.swapVariables])],
  };
}

/** Values that a guest or a host is given must not show in the log, whoever prints them, in whatever common form. */
export function maskSecrets(
  { guest, swaps }: SecretVariables,
  env: NodeJS.ProcessEnv = process.env,
): void {
  for (const name of [...guest, ...swaps]) {
    const value = env[name];
    if (value === undefined || value.trim() === "") continue;
    const forms = [
      value,
      Buffer.from(value).toString("base64"),
      encodeURIComponent(value),
      JSON.stringify(value).slice(1, -1),
    ];
    for (const form of new Set(forms)) setSecret(form);
  }
}

/** Throws when a file for the guest is one of the runner's own. */
export async function refuseSources(
  files: readonly HostFileSource[],
  checkout: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<void> {
  const places = await ForbiddenPlaces.of(env, checkout);
  const refusal = await places.refusalOf(files);
  if (refusal !== null) throw new Error(refusal);
}

/** Throws when secrets would come to a stranger's code, or when they are the runner's own. */
export function refuseSecrets(plan: RunPlan, variables: SecretVariables, event: RunEvent): void {
  const { guest, swaps } = variables;
  const own = [...guest, ...swaps].find((name) => runnersOwn.test(name));
  if (own !== undefined) {
    throw new Error(`Variable "${own}" is the runner's own and no secret for a guest`);
  }
  if (guest.includes(idTokenVariable)) {
    throw new Error(
      `Variable "${idTokenVariable}" is for swaps: the job's ID token never enters a guest`,
    );
  }
  const { files, onDemand, envFiles } = plan.secrets;
  if (files.length + onDemand.length + envFiles.length === 0) return;
  const refusal = secretsRefusal(event);
  if (refusal !== null) throw new Error(refusal);
}
