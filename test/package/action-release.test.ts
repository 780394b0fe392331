import { execFile } from "node:child_process";
import { appendFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { buildAction } from "../../scripts/build-action.mjs";

const call = promisify(execFile);
const root = join(import.meta.dirname, "..", "..");

interface Step {
  readonly name?: string;
  readonly run?: string;
  readonly with?: { readonly path?: string };
}

/** Steps of a job of the release, as printed. */
async function steps(job: string): Promise<readonly Step[]> {
  const text = await readFile(join(root, ".github/workflows/release.yml"), "utf8");
  return parse(text).jobs[job].steps;
}

/** The parts of the built action that the release carries from one job to the next, put where that job finds them. */
async function carried(sources: string, built: string): Promise<void> {
  const kept = (await steps("package")).find(({ name }) => name === "Keep what the action is");
  for (const path of (kept?.with?.path ?? "").trim().split("\n")) {
    await cp(join(sources, path), join(built, path), { recursive: true });
  }
}

test("the release's own scripts tag a commit that is the built action, and the next one moves v1", async () => {
  const dir = await mkdtemp(join(tmpdir(), "microagent-release-"));
  const at = (...path: string[]) => join(dir, ...path);
  const env = { PATH: process.env.PATH ?? "", HOME: dir, RUNNER_TEMP: dir };
  const git = async (cwd: string, ...words: string[]) => {
    const identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"];
    return (await call("git", [...identity, ...words], { cwd, env })).stdout.trim();
  };
  try {
    // What is pushed to, what is built, and a checkout of it with a history.
    await mkdir(at("sources", "action", "setup"), { recursive: true });
    await buildAction(at("sources", "action"));
    for (const path of ["action.yml", "action/setup/action.yml", "LICENSE", "README.md"])
      await cp(join(root, path), at("sources", path));
    await git(dir, "init", "-q", "--bare", "-b", "main", "origin");
    await git(dir, "clone", "-q", "origin", "repository");
    await writeFile(at("repository", "source.ts"), "export {};\n");
    await git(at("repository"), "add", "-A");
    await git(at("repository"), "commit", "-qm", "Sources");
    await carried(at("sources"), at("built"));

    const script = (await steps("action")).find(({ name }) => name === "Tag the built action")?.run;
    const release = (tag: string) =>
      call("bash", ["-e", "-c", script ?? "exit 9"], { cwd: dir, env: { ...env, TAG: tag } });
    await release("v1.0.0");
    await git(dir, "clone", "-q", "--branch", "v1", "origin", "tagged");
    const files = (await git(at("tagged"), "ls-files")).split("\n");
    expect(files).toEqual(
      expect.arrayContaining(["action.yml", "action/dist/main.js", "action/setup/action.yml"]),
    );
    expect(files).not.toContain("source.ts");
    expect(await git(at("tagged"), "rev-parse", "HEAD^")).toBe(
      await git(at("repository"), "rev-parse", "HEAD"),
    );
    const cli = [at("tagged/action/dist/cli.js"), "--version"];
    expect((await call(process.execPath, cli, { env })).stdout).toMatch(/\d+\.\d+\.\d+/);

    const compare = (await steps("proof")).flatMap(({ run }) => run ?? []).join("\n");
    // What is built there was built above.
    const comparing = compare.replace(/^\(cd sources.*\)$/m, "");
    expect(comparing).not.toBe(compare);
    await call("bash", ["-e", "-c", comparing], { cwd: dir, env });
    await appendFile(at("tagged/action/dist/post.js"), "\n");
    const differs = await call("bash", ["-e", "-c", comparing], { cwd: dir, env }).catch(
      (error: { code: number; stdout: string }) => error,
    );
    expect(differs).toMatchObject({ code: 1, stdout: expect.stringContaining("post.js") });

    const first = await git(at("origin"), "rev-parse", "v1^{commit}");
    await writeFile(at("built", "README.md"), "Another\n");
    await release("v1.0.1");
    expect(await git(at("origin"), "rev-parse", "v1^{commit}")).not.toBe(first);
    expect(await git(at("origin"), "rev-parse", "action-v1.0.0^{commit}")).toBe(first);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
