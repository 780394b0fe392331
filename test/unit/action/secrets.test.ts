import { expect, test } from "vitest";
import { flagsOf } from "../../../action/flags.ts";
import { refuseSecrets, secretVariables } from "../../../action/secrets.ts";
import { parseSpec } from "../../../src/spec/load.ts";
import { mergeSpec } from "../../../src/spec/merge.ts";
import { settingsOf } from "./sample-settings.ts";

const push = { name: "push", payload: {}, cacheMode: "" };
const stranger = { name: "pull_request_target", payload: {}, cacheMode: "" };

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
  expect(secretVariables(plan).sort()).toEqual(["FIRST", "SECOND", "THIRD"]);
});

test.each(["ACTIONS_RUNTIME_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "INPUT_RUN", "STATE_X"])(
  "the runner's own %s is no secret for a guest, not even by swap, whoever wrote the Agentfile",
  (name) => {
    expect(() => refuseSecrets(planOf({ secrets: `A=env:${name}` }), push)).toThrow(name);
    expect(() => refuseSecrets(planOf({ "cred-swap": `openai=env:${name}` }), push)).toThrow(name);
  },
);

test("a stranger's code gets no secrets, but may have a swap", () => {
  expect(() => refuseSecrets(planOf({ secrets: "A=file:/x" }), stranger)).toThrow("fork");
  expect(() => refuseSecrets(planOf({ "cred-swap": "openai=env:KEY" }), stranger)).not.toThrow();
  expect(() => refuseSecrets(planOf({ secrets: "A=file:/x" }), push)).not.toThrow();
});
