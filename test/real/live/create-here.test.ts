import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runCli } from "../../fixtures/cli.ts";

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-here-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

async function plan(...words: string[]) {
  const { stdout, stderr } = await create("--dry-run", ...words);
  expect(stderr).toBe("");
  return JSON.parse(stdout) as unknown;
}

function create(...words: string[]) {
  return runCli(["create", ...words], { cwd: dir, env: { MICROAGENT_STATE_DIR: join(dir, "s") } });
}

test.each(["microagent.yaml", "microagent.yml"])(
  "create reads %s of its directory",
  async (file) => {
    await writeFile(join(dir, file), "name: here\nimage: mmdebstrap:bookworm\nprofile: medium\n");
    expect(await plan()).toMatchObject({ name: "here", specFile: file, profile: "medium" });
    expect(await plan("other", "--profile", "tiny")).toMatchObject({
      name: "other",
      profile: "tiny",
    });
  },
);

test("a file that is named, and none at all, are what they were", async () => {
  await writeFile(join(dir, "named.yaml"), "name: named\n");
  expect(await plan("one")).toMatchObject({ name: "one", specFile: null });
  await writeFile(join(dir, "microagent.yaml"), "name: here\n");
  expect(await plan("--file", "named.yaml")).toMatchObject({ name: "named" });
});

test.each([
  [["--dry-run"], "--dry-run"],
  [["--file", "microagent.yaml"], "--file"],
  [["--memory", "128"], "--memory"],
])("a saved machine takes no %j: nothing is started", async (flags, name) => {
  const { code, stderr } = await create("twin", "--from-snapshot", "dev:ready", ...flags);
  expect(code).toBe(2);
  expect(stderr).toContain(`stands alone, found ${name}`);
});
