import { open, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "microagent-ci/vitest/test";

const state = process.env.MICROAGENT_STATE_DIR ?? "";

test("a clone has what the template was given", async ({ vm }) => {
  expect(await vm.readFile("/prepared", "utf8")).toBe("yes");
});

test("a template that is damaged under the tests is told, and the next run has another", async ({
  boot,
}) => {
  const first = await boot();
  await first.kill();
  const templates = join(state, "templates");
  const [key = ""] = await readdir(templates);
  const memory = join(templates, key, "memory");
  const { size } = await stat(memory);
  const file = await open(memory, "r+");
  await file.truncate(0);
  await file.truncate(size);
  await file.close();
  await expect(boot()).rejects.toMatchObject({
    code: "template_broken",
    message: expect.stringMatching(/^Template "box" cannot be started: .+/),
    hint: expect.stringContaining("Run the tests again"),
  });
  expect(await readdir(templates)).toEqual([]);
});

test("a disk that is full when a machine is wanted is told, and one with room starts", async ({
  boot,
}) => {
  const ballast = join(state, "ballast");
  for (const bytes of [1 << 20, 4096]) {
    while (
      await writeFile(ballast, Buffer.alloc(bytes, 1), { flag: "a" }).then(
        () => true,
        () => false,
      )
    );
  }
  await expect(boot()).rejects.toMatchObject({ code: "no_space" });
  await rm(ballast);
  expect(await (await boot()).exec`true`).toSucceed();
});
