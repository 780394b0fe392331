import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, type TestContext, test } from "vitest";
import { withOp } from "../../../src/base/op.ts";
import { ensureBaseImage } from "../../../src/image/base-image.ts";
import { listImages } from "../../../src/image/catalogue.ts";
import { pruneImages } from "../../../src/image/prune.ts";
import { type FaultProxy, startFaultProxy } from "../../fixtures/fault-proxy.ts";
import { type TempStore, tempStore } from "../../fixtures/image-store.ts";
import { digestOf, makeOciLayout, type OciLayout } from "../../fixtures/oci-layout.ts";
import { startRegistry, type TestRegistry } from "../../fixtures/registry.ts";
import { type Compiled, compileForNode } from "../../support/compiled.ts";
import { follow, type Running } from "../../support/running.ts";
import { openSmallDisk } from "../../support/small-disk.ts";

const run = promisify(execFile);
const program = "test/real/image/pull-process.ts";

let dir: string;
let registry: TestRegistry;
let proxy: FaultProxy;
let layout: OciLayout;
let compiled: Compiled;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-shared-"));
  compiled = await compileForNode([program]);
  registry = await startRegistry();
  proxy = await startFaultProxy(registry.host);
  layout = await makeOciLayout(join(dir, "oci"), {
    layers: [
      { entries: [{ path: "a", content: randomBytes(1_500_000) }] },
      { entries: [{ path: "b", content: randomBytes(700_000) }] },
    ],
  });
  await registry.push(layout.reference, "app:1");
});
afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await registry?.close();
  await compiled?.[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

interface Pulling {
  readonly run: Running;
  readonly ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
}

function pull(temp: TempStore): Pulling {
  const words = [compiled.path(program), temp.dir, `${proxy.host}/app:1`];
  const run = follow(spawn(process.execPath, words, { stdio: "pipe" }));
  const ended = run.code.then((code) => ({ code, stdout: run.stdout(), stderr: run.stderr() }));
  return { run, ended };
}

function blobRequests(since: number): readonly string[] {
  return proxy.seen
    .slice(since)
    .filter((one) => one.path.includes("/blobs/"))
    .map((one) => one.path);
}

const slowly = { kind: "slow", pieceBytes: 32_768, pauseMs: 20 } as const;

/** Whether a partial download of the store holds some bytes. */
async function hasSomeBytes(temp: TempStore): Promise<boolean> {
  for (const name of await readdir(temp.store.partialDir).catch(() => [])) {
    const facts = await stat(join(temp.store.partialDir, name)).catch(() => null);
    if ((facts?.size ?? 0) > 100_000) return true;
  }
  return false;
}

function quietly<T>(work: Parameters<typeof withOp<T>>[2]): Promise<T> {
  return withOp("test", {}, work);
}

test("two processes that want one image do the work once", async () => {
  await using temp = await tempStore();
  proxy.rule = (request) => (request.path.includes("/blobs/") ? slowly : null);
  const since = proxy.seen.length;
  const both = await Promise.all([pull(temp).ended, pull(temp).ended]);
  expect(both.map((one) => one.code)).toEqual([0, 0]);
  expect(both[0]?.stdout).toBe(both[1]?.stdout);
  expect(both.map((one) => one.stderr).join("")).toContain("Waiting for another pull");
  const blobs = blobRequests(since);
  expect(blobs).toHaveLength(3);
  expect(new Set(blobs).size).toBe(3);
});

test("a killed pull leaves a readable store, and the next one goes on", async () => {
  await using temp = await tempStore();
  proxy.rule = (request) => (request.path.includes("/blobs/") ? slowly : null);
  const { run, ended } = pull(temp);
  await run.until(() => hasSomeBytes(temp), 5);
  run.child.kill("SIGKILL");
  await ended;
  expect(await quietly((op) => listImages(op, temp.store))).toEqual([]);
  await expect(temp.resolve(`${proxy.host}/app:1`, { pull: "never" })).rejects.toMatchObject({
    code: "image_not_found",
  });

  proxy.rule = () => null;
  const since = proxy.seen.length;
  const image = await temp.resolve(`${proxy.host}/app:1`);
  const resumed = proxy.seen.slice(since).filter((one) => one.headers.range !== undefined);
  expect(resumed.length).toBeGreaterThan(0);
  for (const layer of image.layers) {
    expect(digestOf(await readFile(layer.path))).toBe(layer.digest);
  }
});

test("pulls killed at twenty moments never harm the next one", async () => {
  await using temp = await tempStore();
  proxy.rule = (request) =>
    request.path.includes("/blobs/") ? { kind: "slow", pieceBytes: 65_536, pauseMs: 5 } : null;
  for (let round = 0; round < 20; round++) {
    const { run: pulling, ended } = pull(temp);
    setTimeout(() => pulling.child.kill("SIGKILL"), 100 + round * 35);
    await ended;
    await quietly((op) => listImages(op, temp.store));
  }
  const last = await pull(temp).ended;
  expect(last).toMatchObject({ code: 0 });
  await run("fsck.erofs", [JSON.parse(last.stdout).base]);
  await quietly((op) => pruneImages(op, temp.store, { inUse: new Set(), unusedForMs: null }));
  // What is left is the image and nothing else.
  const litter = async (name: string) => await readdir(join(temp.store.root, name)).catch(() => []);
  expect(await litter("partial")).toEqual([]);
  expect(await litter("staging")).toEqual([]);
  expect(await litter("pins")).toEqual([]);
  expect(await litter("locks")).toEqual([]);
  expect(await litter("blobs/sha256")).toHaveLength(4);
  expect(await litter("names")).toHaveLength(1);
});

test("pruning beside a pull takes nothing from it", async () => {
  await using temp = await tempStore();
  proxy.rule = (request) => (request.path.includes("/blobs/") ? slowly : null);
  const pulling = temp.resolve(`${proxy.host}/app:1`);
  let isOver = false;
  void pulling.finally(() => (isOver = true)).catch(() => {});
  while (!isOver && !(await hasSomeBytes(temp))) await new Promise((go) => setTimeout(go, 5));
  const report = await quietly((op) =>
    pruneImages(op, temp.store, { inUse: new Set(), unusedForMs: null }),
  );
  expect(report).toMatchObject({ blobs: 0, partials: 0 });
  const image = await pulling;
  const base = await quietly((op) => ensureBaseImage(op, temp.store, image));
  await run("fsck.erofs", [base.path]);
});

/** Pulls the image on a small disk, and lists the blobs there; `beside` is a shell script that runs meanwhile. */
async function pullOnDisk(context: TestContext, mib: number, beside: string) {
  await using temp = await tempStore();
  const dir = join(temp.dir, "small");
  await using disk = await openSmallDisk(context, dir, mib);
  const pulls = '"$1" "$2" "$0" "$3"; code=$?; wait; ls "$0/images/blobs/sha256"; exit $code';
  const words = [process.execPath, compiled.path(program), `${proxy.host}/app:1`];
  const script = `(${beside}) & ${pulls}`;
  const [first = "", ...rest] = [...disk.wrapper, "sh", "-c", script, dir, ...words];
  return await run(first, rest).then(
    () => null,
    (error: { stdout: string; stderr: string }) => error,
  );
}

test("an image that the disk cannot hold is refused before anything is fetched", async (context) => {
  proxy.rule = () => null;
  const since = proxy.seen.length;
  const failed = await pullOnDisk(context, 1, ":");
  expect(failed?.stderr).toMatch(/no_space: .* needs \d+ more bytes in ".*", and its disk has \d+/);
  expect(failed?.stdout).toBe("");
  expect(blobRequests(since).length).toBeLessThan(2);
});

test("a disk that others fill is told as such and leaves no half blob", async (context) => {
  proxy.rule = (request) => (request.path.includes("/blobs/") ? slowly : null);
  // As soon as some of a layer is there, somebody takes the rest of the disk.
  const some = 'find "$0" -size +64k 2>/dev/null | grep -q .';
  const fill = 'dd if=/dev/zero of="$0/ballast" bs=64k 2>/dev/null';
  const failed = await pullOnDisk(context, 4, `until ${some}; do sleep 0.02; done; ${fill}`);
  expect(failed?.stderr).toContain("no_space: ");
  expect(failed?.stderr).toContain("no space is left");
  for (const name of (failed?.stdout ?? "").split("\n").filter((line) => line !== "")) {
    expect([layout.configDigest, ...layout.layerDigests]).toContain(`sha256:${name}`);
  }
});
