import { setSecret } from "@actions/core";
import type { RunPlan } from "../src/index.ts";
import { type RunEvent, secretsRefusal } from "./event-trust.ts";

/** Variables that are the runner's own keys to this job: never a guest's, whoever wrote the Agentfile. */
const runnersOwn = /^(ACTIONS_|INPUT_|STATE_)/;

/** Names of the variables that the plan takes values from. */
export function secretVariables(plan: RunPlan): string[] {
  const { secrets, egress } = plan;
  const references = [...secrets.files, ...secrets.onDemand, ...egress.credSwap];
  return references.flatMap((text) => /(?:^|=)env:(\w+)$/.exec(text)?.[1] ?? []);
}

/** Values that a guest or a host is given must not show in the log, whoever prints them, in whatever common form. */
export function maskSecrets(plan: RunPlan, env: NodeJS.ProcessEnv = process.env): void {
  for (const name of secretVariables(plan)) {
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

/** Throws when secrets would come to a stranger's code, or when they are the runner's own. */
export function refuseSecrets(plan: RunPlan, event: RunEvent): void {
  const own = secretVariables(plan).find((name) => runnersOwn.test(name));
  if (own !== undefined) {
    throw new Error(`Variable "${own}" is the runner's own and no secret for a guest`);
  }
  const { files, onDemand, envFiles } = plan.secrets;
  if (files.length + onDemand.length + envFiles.length === 0) return;
  const refusal = secretsRefusal(event);
  if (refusal !== null) throw new Error(refusal);
}
