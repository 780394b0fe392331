import { appendFile } from "node:fs/promises";
import { test as base } from "microagent-ci/vitest/test";

const stuck = base.extend("stuck", async ({ vm }, { onCleanup }) => {
  onCleanup(async () => {
    await appendFile("notes.txt", `stuck ${vm.workspace.pid}\n`);
    await new Promise(() => {});
  });
  return vm;
});
stuck("stuck: cleaning up of a fixture never ends", async ({ stuck: vm }) => {
  await vm.exec`true`;
});
