import { expect, test } from "vitest";
import { flagsOf } from "../../../action/flags.ts";
import { parseSpec } from "../../../src/spec/load.ts";
import { mergeSpec } from "../../../src/spec/merge.ts";
import { settingsOf } from "./sample-settings.ts";

function planOf(inputs: Readonly<Record<string, string>>, text: string | null = null) {
  const spec = text === null ? null : parseSpec(text, "agent.yaml", "/");
  const settings = settingsOf({ image: "oci:./x", ...inputs });
  const flags = flagsOf(settings, { name: "w", outputDir: "/o" }, spec);
  return mergeSpec({ flags, file: spec, surface: "dispatch", cwd: "/" });
}

test.each([
  ["nobody said anything", {}, "agent: { entry: a }", "strict"],
  ["there is no Agentfile", { run: "a" }, null, "strict"],
  ["a network is no egress", {}, "agent: { entry: a }\nnetwork: { mode: isolated }", "strict"],
  ["the Agentfile says", {}, "agent: { entry: a, egress: guarded }", "guarded"],
  ["the Agentfile opens it", {}, "agent: { entry: a, egress: 'off' }", "off"],
  ["the input says", { egress: "guarded" }, "agent: { entry: a }", "guarded"],
  ["the input wins", { egress: "strict" }, "agent: { entry: a, egress: guarded }", "strict"],
  ["the list is not locked", { "lock-allowlist": "false" }, "agent: { entry: a }", "guarded"],
])("egress when %s", (_when, inputs, text, mode) => {
  expect(planOf(inputs, text).egress.mode).toBe(mode);
});

test("inputs become the plan they name", () => {
  const plan = planOf(
    {
      run: "echo 1\n",
      shell: "/bin/bash",
      cpus: "2",
      memory: "1024",
      disk: "3000",
      env: "A=1\nB=x=y",
      artifacts: "out=/out",
      allow: "a.example",
      timeout: "90s",
      "boot-timeout": "30s",
      "pull-timeout": "5m",
      accel: "kvm",
      "if-no-artifacts": "error",
    },
    "agent: { entry: no, allow: [b.example] }",
  );
  expect(plan).toMatchObject({
    name: "w",
    command: { kind: "shell", text: "cd /workspace || exit\necho 1\n" },
    shell: "/bin/bash",
    resources: { cpus: 2, memoryMib: 1024, sizeMib: 3000 },
    env: { A: "1", B: "x=y" },
    outputs: [{ name: "out", path: "/out" }],
    egress: { allow: ["b.example", "a.example"] },
    timeoutSeconds: 90,
    bootTimeoutSeconds: 30,
    pullTimeoutSeconds: 300,
    accel: "kvm",
    requireOutputs: true,
    keep: false,
    useTemplates: false,
  });
});

test("a script starts in the workspace only where there is one", () => {
  expect(planOf({ run: "ls", workspace: "none" }).command).toEqual({ kind: "shell", text: "ls" });
});

test("saved machines are used where they are cached", () => {
  expect(planOf({ run: "a", "template-cache": "true" }).useTemplates).toBe(true);
});
