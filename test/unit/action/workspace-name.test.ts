import { mkdir } from "node:fs/promises";
import { expect, test } from "vitest";
import { stepPaths } from "../../../action/paths.ts";
import { workspaceName } from "../../../action/workspace-name.ts";
import { temporary } from "./temporary.ts";

test("a run is named as it was told, or as its Agentfile, and no two runs of a job alike", async () => {
  await using held = await temporary();
  const { dir } = held;
  expect(await workspaceName("mine", "suite", dir)).toBe("mine");
  for (const name of ["suite", "suite-2", "suite-3"]) {
    expect(await workspaceName(null, "suite", dir)).toBe(name);
    await mkdir(stepPaths(dir, name).run, { recursive: true });
  }
  expect(await workspaceName(null, undefined, dir)).toMatch(/^action-/);
  expect(await workspaceName(null, "../../evil", dir)).toMatch(/^action-/);
});
