import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fieldRows } from "../../../src/spec/generate/field-table.ts";
import { mergeSpec } from "../../../src/spec/merge.ts";
import { unsupportedError, unsupportedUses } from "../../../src/spec/unsupported.ts";
import { parsed } from "./spec-texts.ts";

const folder = join(import.meta.dirname, "documents");
const read = (name: string) => parsed(readFileSync(join(folder, name), "utf8"));

test.each(readdirSync(folder))("the spec text of %s parses and merges as it is", (name) => {
  const file = read(name);
  const plan = mergeSpec({ flags: {}, file, surface: "dispatch", cwd: "/cwd" });
  expect(plan.name).toBe(file.spec.name);
});

test("words that YAML 1.1 took for booleans are texts", () => {
  expect(read("workspace-spec.yaml").spec.modelRunner?.gpu).toBe("off");
  expect(read("everything.yaml").spec.agent?.egress).toBe("off");
});

test("the workspace page gives exactly what it shows", () => {
  const { spec } = read("workspace-spec.yaml");
  expect(spec.resources).toEqual({ memoryMiB: 2048, cpuCount: 2, sizeMiB: 8192 });
  expect(spec.files).toEqual([{ src: "./agent.py", dst: "/app/agent.py", mode: "0644" }]);
  expect(spec.mediation).toEqual({
    enabled: true,
    required: true,
    port: 2048,
    target: "127.0.0.1:9900",
    failClosed: true,
  });
  expect(spec.modelMediation).toEqual({
    mode: "policy",
    policyFile: "./model-policy.json",
    policyTimeout: "250ms",
  });
});

test("every field the workspace page uses before it is built is named", () => {
  const plan = mergeSpec({ flags: {}, file: read("workspace-spec.yaml"), surface: "dispatch" });
  expect(unsupportedUses(plan).map((use) => use.field)).toEqual([
    "restart",
    "model",
    "modelRunner",
    "modelMediation",
    "health",
    "disks",
    "bundles",
  ]);
});

test("an Agentfile without egress and network gets both", () => {
  const plan = mergeSpec({ flags: {}, file: read("minimal-body.yaml"), surface: "dispatch" });
  expect(unsupportedError(plan)).toBeNull();
  expect([plan.network.mode, plan.egress.mode]).toEqual(["user", "guarded"]);
});

test("everything.yaml has every field of the schema", () => {
  const { spec } = read("everything.yaml");
  const seen = new Set<string>();
  collect(spec, "", seen);
  // These two exclude others that the file has, and both broker forms share their fields.
  const apart = /^(entrypoint|health\.exec|modelMediation\.policyFile|agent\.broker(\..*)?)$/;
  const missing = fieldRows()
    .map((row) => row.path)
    .filter((path) => !seen.has(path) && !apart.test(path));
  expect(missing).toEqual([]);
});

function collect(value: unknown, path: string, seen: Set<string>): void {
  seen.add(path);
  if (Array.isArray(value)) for (const item of value) collect(item, `${path}[]`, seen);
  else if (typeof value === "object" && value !== null) {
    for (const [key, child] of Object.entries(value)) {
      collect(child, path === "" ? key : `${path}.${key}`, seen);
    }
  }
}
