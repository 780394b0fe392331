import { describe, expect, test } from "vitest";
import type { Flags } from "../../../../src/spec/flags.ts";
import type { RunPlan } from "../../../../src/spec/plan.ts";
import { merge, refused } from "../spec-texts.ts";

describe("the command", () => {
  test.each<[Flags, string, RunPlan["command"]]>([
    [{}, "entrypoint: a", { kind: "shell", text: "a" }],
    [{}, "service: a", { kind: "shell", text: "a" }],
    [{}, "entrypoint: a\nagent: {entry: b}", { kind: "shell", text: "b" }],
    [{ entrypoint: "f" }, "agent: {entry: b}", { kind: "shell", text: "f" }],
    [{ command: ["a", "b c"] }, "agent: {entry: b}", { kind: "argv", argv: ["a", "b c"] }],
    [{ imageCommand: true }, "agent: {entry: b}", { kind: "image" }],
    [{ imageCommand: false, command: [] }, "agent: {entry: b}", { kind: "shell", text: "b" }],
  ])("%j with %j", (flags, text, command) => {
    expect(merge(flags, text).command).toEqual(command);
  });

  test.each<[Flags, string]>([
    [{ exec: "a", command: ["b"] }, "the command after the image and --exec"],
    [{ exec: "a", imageCommand: true }, "--exec and --image-command"],
    [{ exec: "a", entrypoint: "b" }, "--exec and --entrypoint"],
  ])("two sources are a usage error: %j", (flags, names) => {
    const error = refused(() => merge(flags));
    expect(error.code).toBe("usage");
    expect(error.message).toContain(names);
  });
});

test("setup keeps its order: commands and files as listed, then setup files", () => {
  const plan = merge({}, "setup: [a, {file: b}, {run: c}]\nsetupFiles: [d]");
  expect(plan.setup.map((step) => (step.kind === "run" ? step.text : step.path))).toEqual([
    "a",
    "/base/b",
    "c",
    "/base/d",
  ]);
});

test("env is joined name by name", () => {
  const plan = merge({ env: ["B=flag", "C=x=y", "D="] }, "env: {A: spec, B: spec}");
  expect(plan.env).toEqual({ A: "spec", B: "flag", C: "x=y", D: "" });
  expect(plan.envByFlag).toEqual(["B", "C", "D"]);
  expect(plan.provenance.env).toBe("union");
});
