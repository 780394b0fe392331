import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stateLayout } from "../../../src/host/state-layout.ts";
import {
  type ActionBench,
  type ActionJob,
  openActionBench,
} from "../../fixtures/actions/action-bench.ts";
import { commandsOf } from "../../fixtures/actions/log-reader.ts";
import type { StoredBlob } from "../../fixtures/actions/results-service.ts";

let bench: ActionBench;
beforeAll(async () => {
  bench = await openActionBench();
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

const run = { run: "echo ran", cache: "auto", "upload-artifacts": "false" };

function entryOf(job: ActionJob, what: string): StoredBlob {
  const found = job.service.caches.findLast(({ key }) => key.startsWith(`microagent-${what}-`));
  if (found === undefined) throw new Error(`No ${what} was saved`);
  return found;
}

function keysOf(job: ActionJob): string[] {
  return job.service.caches.map(({ key }) => key.split("-")[1] ?? "").sort();
}

test("kernel and image of one job are there in the next, and are not saved twice", async () => {
  await using job = await bench.openJob("own");
  const first = await job.step({ ...run, image: bench.image });
  expect(first.exitCode, first.raw).toBe(0);
  expect(first.outputs["cache-hit"]).toBe("none");
  expect(keysOf(job)).toEqual(["image", "kernel"]);
  for (const { key } of job.service.caches) expect(key).toMatch(/^[\w-]{1,200}$/);

  await job.renew();
  job.service.requests.length = 0;
  const second = await job.step({ ...run, image: bench.image });
  expect(second.exitCode, second.raw).toBe(0);
  expect(second.lines).toContain("ran");
  expect(second.outputs["cache-hit"]).toBe("image");
  expect(second.lines).toContain("Caches: restored kernel, image");
  expect(job.service.requests.filter((path) => path.includes("CreateCacheEntry"))).toEqual([]);

  // Another step of the same job finds what the first one brought, and asks for nothing but the service.
  job.service.requests.length = 0;
  const third = await job.step({ ...run, image: bench.image });
  expect(third.outputs["cache-hit"]).toBe("image");
  expect(job.service.requests.filter((path) => path.startsWith("GET"))).toEqual([]);
});

test("an entry that breaks off, and one that is not what it was, are replaced for the next job", async () => {
  await using job = await bench.openJob("own");
  const step = () => job.step({ ...run, image: bench.image });
  expect((await step()).exitCode).toBe(0);

  const broken = entryOf(job, "image");
  broken.bytes = broken.bytes.subarray(0, broken.bytes.length >> 1);
  await job.renew();
  const second = await step();
  expect(second.exitCode, second.raw).toBe(0);
  expect(second.outputs["cache-hit"]).toBe("none");
  const repaired = entryOf(job, "image");
  expect(repaired.key).not.toBe(broken.key);

  repaired.bytes = await changed(repaired.bytes, /blobs/, (bytes) => {
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    return bytes;
  });
  await job.renew();
  const third = await step();
  expect(third.exitCode, third.raw).toBe(0);
  expect(third.outputs["cache-hit"]).toBe("none");
  expect(third.raw).toContain("is damaged: it is made again");

  await job.renew();
  const fourth = await step();
  expect(fourth.exitCode, fourth.raw).toBe(0);
  expect(fourth.outputs["cache-hit"]).toBe("image");
});

test("on a machine that outlives its jobs, kernel and image stay on it and nothing is carried", async () => {
  await using job = await bench.openJob();
  const tools = join(job.dirs.home, "tools");
  await mkdir(join(tools, "microagent"), { recursive: true });
  for (const name of ["kernels", "cache"] as const)
    await symlink(stateLayout()[name], join(tools, "microagent", name));
  const env = { RUNNER_ENVIRONMENT: "self-hosted", RUNNER_TOOL_CACHE: tools };
  const step = () => job.step({ ...run, image: bench.image }, { env });
  const first = await step();
  expect(first.exitCode, first.raw).toBe(0);
  expect(first.env).toEqual({ MICROAGENT_CACHE_DIR: join(tools, "microagent") });
  const blobs = await readdir(join(tools, "microagent", "images", "blobs"), { recursive: true });
  expect(blobs.length).toBeGreaterThan(0);
  await job.renew();
  const second = await step();
  expect(second.exitCode, second.raw).toBe(0);
  expect(second.lines).toContain("ran");
  expect(job.service.caches).toEqual([]);
});

test.each([
  ["the download", "/cache/"],
  ["the upload", "/blob/"],
])("a service that breaks off at %s costs the cache, not the step", async (_what, part) => {
  await using job = await bench.openJob("own");
  const step = () => job.step({ ...run, image: bench.image });
  if (part === "/cache/") expect((await step()).exitCode).toBe(0);
  await job.renew();
  job.service.requests.length = 0;
  job.service.faults.set(part, 500);
  const result = await step();
  expect(result.exitCode, result.raw).toBe(0);
  expect(result.lines).toContain("ran");
  expect(result.outputs["cache-hit"]).toBe("none");
  expect(commandsOf(result, "error")).toEqual([]);
  // Each attempt is long, for the client tries again and again: one is enough.
  const begun = job.service.requests.filter((path) => path.includes("CreateCacheEntry"));
  expect(begun.length).toBe(part === "/blob/" ? 1 : 2);
});

test.each([
  [503, "answers 503"],
  [429, "answers 429"],
])("a cache service that answers %d is asked once and costs nothing", async (status, said) => {
  await using job = await bench.openJob();
  job.service.faults.set("CacheService", status);
  const result = await job.step({ ...run, image: bench.image });
  expect(result.exitCode, result.raw).toBe(0);
  expect(commandsOf(result, "notice").map(({ message }) => message)).toEqual([
    expect.stringContaining(`Nothing is cached: the cache service ${said}`),
  ]);
  expect(job.service.requests).toHaveLength(1);
  expect(commandsOf(result, "error")).toEqual([]);
});

test.each([
  ["a fork's pull request", { name: "pull_request", payload: {} }, {}, "read"],
  ["pull_request_target", { name: "pull_request_target", payload: {} }, {}, "read"],
  ["the runner's read mode", undefined, { ACTIONS_CACHE_MODE: "read" }, "read"],
  ["the runner's none mode", undefined, { ACTIONS_CACHE_MODE: "none" }, "none"],
])("%s leaves nothing for others", async (_what, event, env, mode) => {
  await using job = await bench.openJob();
  const more = event === undefined ? { env } : { env, event };
  const result = await job.step({ ...run, image: bench.image }, more);
  expect(result.exitCode, result.raw).toBe(0);
  expect(job.service.caches).toEqual([]);
  expect(job.service.requests.length > 0).toBe(mode === "read");
});

test("the machine after setup is there in the next job, and one that is broken is made again", async () => {
  await using job = await bench.openJob();
  const agentfile = `image: ${bench.image}\nsetup: ['echo setting up; date > /made']\nagent: { entry: cat /made }\n`;
  const step = async () => {
    await writeFile(join(job.dirs.workspace, "agent.yaml"), agentfile);
    return await job.step({ file: "agent.yaml", ...run, run: "", "template-cache": "true" });
  };
  const first = await step();
  expect(first.exitCode, first.raw).toBe(0);
  expect(keysOf(job)).toContain("template");
  expect(first.lines).toContain("setting up");

  await job.renew();
  await linkKernels(job);
  const second = await step();
  expect(second.exitCode, second.raw).toBe(0);
  expect(second.outputs["cache-hit"], second.raw).toBe("template");
  expect(second.lines).not.toContain("setting up");
  expect(second.outputs["stdout-tail"]).toBe(
    first.outputs["stdout-tail"]?.split("\n").slice(-2).join("\n"),
  );

  const saved = entryOf(job, "template");
  saved.bytes = await changed(saved.bytes, /templates/, (bytes) =>
    bytes.subarray(bytes.length >> 1),
  );
  await job.renew();
  await linkKernels(job);
  const third = await step();
  expect(third.exitCode, third.raw).toBe(0);
  expect(third.outputs["cache-hit"]).toBe("image");
  expect(third.lines).toContain("setting up");
  expect(entryOf(job, "template").key).not.toBe(saved.key);
});

/** The same archive with one file changed: what a service could hand out without an error. */
async function changed(
  archive: Buffer,
  folder: RegExp,
  change: (bytes: Buffer) => Buffer,
): Promise<Buffer> {
  const dir = await mkdtemp(join(tmpdir(), "microagent-archive-"));
  try {
    await writeFile(join(dir, "a.tzst"), archive);
    const tar = ["--use-compress-program", "zstd --long=30", "-P"];
    // Paths in it are relative to the workspace; here they end below the directory.
    const inside = join(dir, "x", "y");
    execFileSync("mkdir", ["-p", inside]);
    execFileSync("tar", [...tar, "-xf", join(dir, "a.tzst"), "-C", inside]);
    const blobs = (await readdir(dir, { recursive: true, withFileTypes: true })).filter(
      (entry) => entry.isFile() && folder.test(`${entry.parentPath}/`),
    );
    const sizes = await Promise.all(
      blobs.map(async (entry) => {
        const path = join(entry.parentPath, entry.name);
        return { path, size: (await stat(path)).size };
      }),
    );
    const [largest] = sizes.sort((a, b) => b.size - a.size);
    if (largest === undefined) throw new Error(`Nothing in the archive is in ${folder}`);
    await writeFile(largest.path, change(await readFile(largest.path)));
    const names = execFileSync("tar", [...tar, "-tf", join(dir, "a.tzst")], { encoding: "utf8" });
    const tops = names.split("\n").filter((name) => /\/(blobs|names|templates)\/$/.test(name));
    execFileSync("tar", [
      "--use-compress-program",
      "zstd",
      "-P",
      "-cf",
      join(dir, "b.tzst"),
      "-C",
      inside,
      ...tops,
    ]);
    return await readFile(join(dir, "b.tzst"));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function linkKernels(job: ActionJob): Promise<void> {
  await symlink(stateLayout().kernels, stateLayout({ stateDir: job.stateDir }).kernels);
}
