import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { runApart } from "../../../scripts/bare/namespaces.mjs";
import { packagesCommand } from "../../../scripts/bare/packages-command.mjs";

const script = join(import.meta.dirname, "..", "..", "..", "scripts", "bare.mjs");

describe("the packages that a failed bootstrap names", () => {
  const failed = (hint: string) =>
    `  missing: git (x)\nerror: Installing git needs root\n  try: ${hint}\nnpm error code 1\n`;

  test("are installed by its own words, without sudo", () => {
    const hint = "sudo apt-get update && sudo apt-get install --no-install-recommends git g++";
    expect(packagesCommand(failed(hint))).toBe(
      "apt-get update && apt-get install --no-install-recommends git g++",
    );
  });

  test("are named for root where there is no sudo", () => {
    expect(packagesCommand(failed("as root: apt-get install git"))).toBe("apt-get install git");
  });

  test("are those of the last failure", () => {
    const output = failed("sudo apt-get install one") + failed("sudo apt-get install two");
    expect(packagesCommand(output)).toBe("apt-get install two");
  });

  test("are none where it names another command, or one with more in it", () => {
    expect(packagesCommand(failed("npm run build"))).toBeNull();
    expect(packagesCommand(failed("sudo apt-get install git; rm -rf x"))).toBeNull();
    expect(packagesCommand("")).toBeNull();
  });
});

test("an unknown flag or value is refused with what there is", async () => {
  for (const [words, said] of [
    [["--only", "bench"], 'Flag --only is "bench": expected quickstart or test'],
    [["--user", "me"], 'Flag --user is "me": expected root or user'],
    [["--fast"], "--fast"],
  ] as const) {
    const run = promisify(execFile)(process.execPath, [script, ...words]);
    await expect(run).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining(said) });
    await expect(run).rejects.toMatchObject({ stderr: expect.stringContaining("try: npm run") });
  }
});

test("what a host lacks is named with its package", async () => {
  const run = promisify(execFile)(process.execPath, [script], { env: { PATH: "/nowhere" } });
  await expect(run).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/"mmdebstrap" is not on PATH.*\n.*apt-get install mmdebstrap/),
  });
});

test("a program that cannot be started is an error, and not a wait", async () => {
  const stop = new AbortController();
  stop.abort();
  const { status } = await runApart(["sleep", "600"], { signal: stop.signal });
  expect(status).not.toBe(0);
});
