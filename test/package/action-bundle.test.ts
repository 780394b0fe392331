import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildAction, entries } from "../../scripts/build-action.mjs";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-bundle-"));
});
afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

/** SHA-256 of every file by its path. */
async function contents(root: string): Promise<Record<string, string>> {
  const found = await readdir(root, { recursive: true, withFileTypes: true });
  const files = found
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const hashed = files.sort().map(async (path) => {
    const hash = createHash("sha256")
      .update(await readFile(path))
      .digest("hex");
    return [relative(root, path), hash] as const;
  });
  return Object.fromEntries(await Promise.all(hashed));
}

test("two builds of the action are the same, byte by byte, and need nothing that is not in them", async () => {
  const [one, two] = [join(dir, "one"), join(dir, "a/place/elsewhere")];
  await buildAction(one);
  await buildAction(two);
  const built = await contents(one);
  expect(await contents(two)).toEqual(built);
  for (const name of Object.keys(entries)) expect(Object.keys(built)).toContain(`dist/${name}.js`);
  for (const arch of ["amd64", "arm64"])
    expect(Object.keys(built)).toContain(`guest/bin/microagent-agent-linux-${arch}`);

  const licences = await readFile(join(one, "dist/third-party-licenses.txt"), "utf8");
  for (const name of ["@actions/core", "@actions/cache", "@actions/artifact", "undici", "yaml"])
    expect(licences).toMatch(new RegExp(`^${name} [0-9]`, "m"));

  // Alone, with no modules above it, it starts, and says what it misses.
  const env = { PATH: process.env.PATH, HOME: dir, RUNNER_TEMP: dir, GITHUB_WORKSPACE: dir };
  const failed = await promisify(execFile)(process.execPath, [join(two, "dist/main.js")], {
    cwd: dir,
    env,
  }).catch((error: { stdout: string; stderr: string }) => error);
  expect(failed.stderr).toBe("");
  expect(failed.stdout).toContain('::error::Input "file" or "image" is wanted');
  const version = await promisify(execFile)(
    process.execPath,
    [join(two, "dist/cli.js"), "--version"],
    { env },
  );
  expect(version.stdout).toMatch(/[0-9]+[.][0-9]+[.][0-9]+/);
});
