import { expect, test } from "vitest";
import { type InputName, inputDeclarations } from "../../../action/inputs.ts";
import { InputProblems, readSettings } from "../../../action/settings.ts";
import { settingsOf } from "./sample-settings.ts";

function problemsOf(given: Readonly<Record<string, string>>): readonly string[] {
  try {
    settingsOf({ image: "x", ...given });
  } catch (error) {
    if (error instanceof InputProblems) return error.problems;
    throw error;
  }
  return [];
}

test("every declared input is read, and no other", () => {
  const read = new Set<string>();
  const given = (name: InputName) => {
    read.add(name);
    return inputDeclarations.find((each) => each.name === name)?.default ?? "";
  };
  expect(() => readSettings(given)).toThrow(InputProblems);
  expect([...read].sort()).toEqual(inputDeclarations.map(({ name }) => name).sort());
});

test("the defaults are a copy of the checkout under a locked list, uploaded", () => {
  expect(settingsOf({ image: "x" })).toMatchObject({
    file: null,
    image: "x",
    workspace: "copy",
    workspaceBack: "none",
    uploadArtifacts: true,
    ifNoArtifacts: "warn",
    lockAllowlist: true,
    timeoutSeconds: 900,
    bootTimeoutSeconds: 60,
    pullTimeoutSeconds: 600,
    accel: "auto",
    fixKvm: true,
    cache: "auto",
    templateCache: false,
    keep: false,
    summary: true,
    report: true,
    annotations: "auto",
    log: "stream",
    failOn: new Set(["exit"]),
  });
});

test.each([
  ["file", " a.yaml ", "file", "a.yaml"],
  ["run", "  echo 1\r\n", "run", "  echo 1\r\n"],
  ["run", " \n ", "run", null],
  ["shell", "bash", "shell", "bash"],
  ["name", "ci-1", "name", "ci-1"],
  ["workspace-exclude", "a\r\n\n b \rc", "workspaceExclude", ["a", "b", "c"]],
  ["workspace-back", "patch", "workspaceBack", "patch"],
  ["artifacts", "a=/x\nb=/y", "artifacts", ["a=/x", "b=/y"]],
  ["upload-artifacts", "False", "uploadArtifacts", false],
  ["artifact-name", "my report", "artifactName", "my report"],
  ["artifact-retention-days", "90", "artifactRetentionDays", 90],
  ["if-no-artifacts", "ignore", "ifNoArtifacts", "ignore"],
  ["env", "A=1\nB=x y", "env", ["A=1", "B=x y"]],
  ["secrets", "T=env:T", "secrets", ["T=env:T"]],
  ["cred-swap", "anthropic=env:K", "credSwap", ["anthropic=env:K"]],
  ["egress", "guarded", "egress", "guarded"],
  ["allow", "a.example", "allow", ["a.example"]],
  ["lock-allowlist", "FALSE", "lockAllowlist", false],
  ["profile", "small", "profile", "small"],
  ["cpus", "2", "cpus", "2"],
  ["memory", "1024", "memory", "1024"],
  ["disk", "4096", "disk", "4096"],
  ["timeout", "2h", "timeoutSeconds", 7200],
  ["boot-timeout", "90s", "bootTimeoutSeconds", 90],
  ["pull-timeout", "45", "pullTimeoutSeconds", 45],
  ["accel", "tcg", "accel", "tcg"],
  ["fix-kvm", "false", "fixKvm", false],
  ["cache", "read", "cache", "read"],
  ["template-cache", "True", "templateCache", true],
  ["keep", "TRUE", "keep", true],
  ["summary", "false", "summary", false],
  ["report", "false", "report", false],
  ["annotations", "off", "annotations", "off"],
  ["log", "on-failure", "log", "on-failure"],
  [
    "fail-on",
    "egress-denied, missing-artifact",
    "failOn",
    new Set(["egress-denied", "missing-artifact"]),
  ],
  ["fail-on", "", "failOn", new Set()],
])("input %s: %j", (name, value, field, wanted) => {
  expect(settingsOf({ image: "x", [name]: value })).toHaveProperty(field, wanted);
});

test.each([
  ["file", "a\nb", "one line"],
  ["name", "a\rb", "one line"],
  ["timeout", "soon", "90s"],
  ["timeout", "0", "90s"],
  ["timeout", "-5m", "90s"],
  ["timeout", "", "90s"],
  ["boot-timeout", "1d", "90s"],
  ["pull-timeout", "1.5h", "90s"],
  ["keep", "", "true or false"],
  ["keep", "yes", "true or false"],
  ["upload-artifacts", "1", "true or false"],
  ["lock-allowlist", "", "true or false"],
  ["workspace", "mount", "one of none, copy"],
  ["workspace-back", "all", "one of none, patch, copy"],
  ["if-no-artifacts", "fail", "one of"],
  ["accel", "hvf", "one of auto, kvm, tcg"],
  ["cache", "write", "one of"],
  ["log", "loud", "one of"],
  ["annotations", "on", "one of"],
  ["artifact-retention-days", "91", "1 to 90"],
  ["artifact-retention-days", "1e1", "1 to 90"],
  ["artifact-name", "a/b", "none of"],
  ["artifact-name", "a\u0000b", "one line"],
  ["fail-on", "exit,never", "some of"],
])("input %s is not %j", (name, value, wanted) => {
  const problems = problemsOf({ [name]: value });
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(`Input "${name}"`);
  expect(problems[0]).toContain(JSON.stringify(value).slice(1, -1).split(",").at(-1));
  expect(problems[0]).toContain(wanted);
});

test("all problems are told at once, long values cut", () => {
  const problems = problemsOf({ timeout: "x".repeat(5000), keep: "maybe", log: "loud" });
  expect(problems).toHaveLength(3);
  expect(Math.max(...problems.map(({ length }) => length))).toBeLessThan(400);
});

test("inputs that contradict each other are told", () => {
  expect(problemsOf({ image: "" })).toEqual([
    'Input "file" or "image" is wanted: nothing says what to boot',
  ]);
  expect(problemsOf({ workspace: "none", "workspace-back": "patch" })[0]).toContain(
    "workspace: copy",
  );
});
