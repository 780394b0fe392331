import { microvm, microvmPool } from "microagent-ci/vitest";
import { expect, type Machine, test, vmTest } from "microagent-ci/vitest/test";
import { defineConfig } from "vitest/config";

defineConfig({ test: { pool: microvmPool({ template: { memory: 512 }, files: ["x"] }) } });
// @ts-expect-error files are a list
microvmPool({ files: "x" });
microvm({ templates: { a: { image: "x", memory: 3 } } });
// @ts-expect-error memory is a number
microvm({ templates: { a: { image: "x", memory: "3" } } });
test("types", { meta: { microvm: { template: "a" } } }, async ({ vm, boot, sharedVm, spec }) => {
  const machine: Machine = vm;
  const result = await machine.exec`ls ${["a", 1]}`;
  expect(result).toSucceed();
  expect(result).not.toExitWith(3);
  await expect(vm).toListenOn(3);
  await expect(sharedVm).toHaveFile("/x", { mode: 0o600 });
  await expect.poll(() => vm.exec`true`).toSucceed();
  const code: number | null = result.exitCode;
  const other = await boot({ template: spec.template });
  // @ts-expect-error no such verb
  await other.explode();
  return void code;
});
vmTest({ template: "a" })("more", async ({ vm }) => {
  await vm.shell("x");
});
