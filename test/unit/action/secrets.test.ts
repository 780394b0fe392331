import { expect, test } from "vitest";
import type { RunEvent } from "../../../action/event-trust.ts";
import { flagsOf } from "../../../action/flags.ts";
import { refuseSecrets, secretVariables } from "../../../action/secrets.ts";
import type { RunPlan } from "../../../src/index.ts";
import { parseSpec } from "../../../src/spec/load.ts";
import { mergeSpec } from "../../../src/spec/merge.ts";
import { settingsOf } from "./sample-settings.ts";

const push = { name: "push", payload: {}, cacheMode: "" };
const stranger = { name: "pull_request_target", payload: {}, cacheMode: "" };

function refuse(plan: RunPlan, event: RunEvent, swapFile = ""): void {
  refuseSecrets(plan, secretVariables(plan, swapFile), event);
}

function planOf(
  inputs: Readonly<Record<string, string>>,
  text = "image: oci:./x\nagent: { entry: a }\n",
) {
  const spec = parseSpec(text, "agent.yaml", "/");
  const flags = flagsOf(settingsOf({ file: "a", ...inputs }), { name: "w", outputDir: "/o" }, spec);
  return mergeSpec({ flags, file: spec, surface: "dispatch", cwd: "/" });
}

test("variables of inputs and of the Agentfile are known, to be masked", () => {
  const plan = planOf(
    { secrets: "A=env:FIRST\nB=file:/x", "cred-swap": "anthropic=env:SECOND" },
    "image: oci:./x\nagent: { entry: a, cred-swap: [openai=env:THIRD] }\n",
  );
  const { guest, swaps } = secretVariables(plan, "key_ref: env:FOURTH\n# see env:FIFTH, ");
  expect(guest).toEqual(["FIRST"]);
  expect([...swaps].sort()).toEqual(["FIFTH", "FOURTH", "SECOND", "THIRD"]);
});

test.each([
  "ACTIONS_RUNTIME_TOKEN",
  "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
  "INPUT_RUN",
  "STATE_X",
  "MICROAGENT_GITHUB_TOKEN",
])(
  "the runner's own %s is no secret for a guest, not even by swap, whoever wrote the Agentfile",
  (name) => {
    expect(() => refuse(planOf({ secrets: `A=env:${name}` }), push)).toThrow(name);
    expect(() => refuse(planOf({ "cred-swap": `openai=env:${name}` }), push)).toThrow(name);
    expect(() => refuse(planOf({}), push, `{"key_ref":"env:${name}"}`)).toThrow(name);
  },
);

test("a stranger's code gets no secrets, but may have a swap", () => {
  expect(() => refuse(planOf({ secrets: "A=file:/x" }), stranger)).toThrow("fork");
  expect(() => refuse(planOf({ "cred-swap": "openai=env:KEY" }), stranger)).not.toThrow();
  expect(() => refuse(planOf({ secrets: "A=file:/x" }), push)).not.toThrow();
});

test("the job's ID token is for swaps, never for the guest", () => {
  const name = "MICROAGENT_ID_TOKEN";
  expect(() => refuse(planOf({ secrets: `A=env:${name}` }), push)).toThrow("never enters a guest");
  expect(() => refuse(planOf({ "cred-swap": `openai=env:${name}` }), push)).not.toThrow();
});
