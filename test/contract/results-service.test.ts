import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { type ResultsService, startResultsService } from "../fixtures/actions/results-service.ts";

/**
 * What the toolkit's own clients ask the artifact and cache services for, and what they make of our answers. The protocol is
 * nowhere written down: when a new version of them speaks otherwise, it is noticed here.
 */
const root = join(import.meta.dirname, "../..");

/** Runs a module of the toolkit in a process of its own, and returns what the program says last. */
async function client(service: ResultsService, dir: string, program: string): Promise<unknown> {
  const text = `${program}; process.stdout.write("\\nanswer " + JSON.stringify(answer ?? null) + "\\n")`;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--input-type=module", "-e", text],
    {
      cwd: root,
      env: {
        PATH: process.env.PATH ?? "",
        RUNNER_TEMP: dir,
        GITHUB_WORKSPACE: dir,
        GITHUB_SERVER_URL: "https://github.com",
        ...service.env,
      },
    },
  );
  return JSON.parse(/^answer (.*)$/m.exec(stdout)?.[1] ?? "");
}

async function directory() {
  const dir = await mkdtemp(join(tmpdir(), "microagent-results-"));
  await mkdir(join(dir, "files"));
  await writeFile(join(dir, "files", "a"), "content");
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}

test("the artifact client creates, uploads blocks and finishes", async () => {
  await using service = await startResultsService();
  await using place = await directory();
  const files = join(place.dir, "files");
  const words = [`"name"`, JSON.stringify([join(files, "a")]), JSON.stringify(files)].join(", ");
  const answer = await client(
    service,
    place.dir,
    `import client from "@actions/artifact"; const answer = await client.uploadArtifact(${words}, { retentionDays: 3 })`,
  );
  expect(answer).toMatchObject({ id: 1, digest: expect.stringMatching(/^[0-9a-f]{64}$/) });
  const ids = { workflow_run_backend_id: "run-1", workflow_job_run_backend_id: "job-1" };
  expect(service.calls).toEqual([
    {
      call: "POST ArtifactService/CreateArtifact",
      body: {
        ...ids,
        name: "name",
        version: 7,
        mime_type: "application/zip",
        expires_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      },
    },
    { call: "PUT blob block", body: null },
    { call: "PUT blob blocklist", body: null },
    {
      call: "POST ArtifactService/FinalizeArtifact",
      body: {
        ...ids,
        name: "name",
        size: expect.stringMatching(/^\d+$/),
        hash: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      },
    },
  ]);
});

test("the cache client asks, saves and restores", async () => {
  await using service = await startResultsService();
  await using place = await directory();
  const paths = JSON.stringify([join(place.dir, "files")]);
  const importing = `import * as cache from "@actions/cache"; const answer = await cache`;
  const restore = `${importing}.restoreCache(${paths}, "key-none", ["key-"])`;
  const version = expect.stringMatching(/^[0-9a-f]{64}$/);
  const question = {
    call: "POST CacheService/GetCacheEntryDownloadURL",
    body: { key: "key-none", restore_keys: ["key-"], version },
  };
  expect(await client(service, place.dir, restore)).toBe(null);
  expect(service.calls.splice(0)).toEqual([question]);

  await client(service, place.dir, `${importing}.saveCache(${paths}, "key-1")`);
  expect(service.calls.splice(0)).toEqual([
    { call: "POST CacheService/CreateCacheEntry", body: { key: "key-1", version } },
    { call: "PUT blob BlockBlob", body: null },
    {
      call: "POST CacheService/FinalizeCacheEntryUpload",
      body: { key: "key-1", version, size_bytes: expect.stringMatching(/^\d+$/) },
    },
  ]);

  expect(await client(service, place.dir, restore)).toBe("key-1");
  expect(service.calls[0]).toEqual(question);
  expect(service.calls.at(-1)?.call).toMatch(/^GET cache/);
});

test.each([
  ["none", 0],
  ["read", 1],
  ["write-only", 0],
])("the cache client heeds the runner's mode %s", async (mode, questions) => {
  await using service = await startResultsService();
  await using place = await directory();
  const paths = JSON.stringify([join(place.dir, "files")]);
  const program = `process.env.ACTIONS_CACHE_MODE = "${mode}"; const cache = await import("@actions/cache"); const answer = await cache.restoreCache(${paths}, "key")`;
  expect(await client(service, place.dir, program)).toBe(null);
  expect(service.calls).toHaveLength(questions);
});
