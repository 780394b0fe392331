import { expect, test } from "vitest";
import { isBuiltHere, needsOf } from "../../../action/host-needs.ts";
import type { Check, Diagnosis } from "../../../src/index.ts";

function check(id: string, verdict: Check["verdict"], ...packages: string[]): Check {
  const remedy = packages.length === 0 ? null : { command: "", packages, kernel: false };
  return { id, tier: "core", verdict, found: id, remedy };
}

function diagnosis(...checks: Check[]): Diagnosis {
  return { verdict: "degraded", checks, supervisor: null, kernel: null };
}

const builder = check("mmdebstrap", "degraded", "mmdebstrap");
const tools = check("kernel-build", "degraded", "flex", "bison");
const vmm = check("vmm", "failed", "qemu-system-x86");

test("only what a run needs is installed: no tools to build kernels with", () => {
  expect(needsOf(diagnosis(vmm, builder, tools), false)).toEqual([vmm]);
  expect(needsOf(diagnosis(builder, tools), false)).toEqual([]);
  expect(needsOf(diagnosis(check("mmdebstrap", "ok"), tools), true)).toEqual([]);
});

test("an image that is made here brings its builder, and the keys that prove its packages", () => {
  const packages = needsOf(diagnosis(vmm, builder, tools), true).flatMap(
    ({ remedy }) => remedy?.packages ?? [],
  );
  expect(packages).toEqual(["qemu-system-x86", "mmdebstrap", "debian-archive-keyring"]);
  expect(isBuiltHere("mmdebstrap:bookworm")).toBe(true);
  expect(isBuiltHere("docker.io/library/debian:12")).toBe(false);
});
