import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { withOp } from "../../../src/base/op.ts";
import { killOwner, listLeases, stagingPrefix, takeLease } from "../../../src/host/lease.ts";
import { identityTag, ownIdentity } from "../../../src/host/process-identity.ts";
import { ensurePrivateDir, type StateLayout, stateLayout } from "../../../src/host/state-layout.ts";
import { collectGarbage } from "../../../src/workspace/garbage.ts";

let dir: string;
let layout: StateLayout;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-lease-"));
  layout = stateLayout({ stateDir: join(dir, "state") });
  await ensurePrivateDir(layout.leases);
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

const gc = () => withOp("gc", {}, (op) => collectGarbage(op, layout));
const exists = (path: string) =>
  readdir(join(path, "..")).then((all) => all.includes(path.split("/").at(-1) ?? ""));

async function runtimeDir(name: string): Promise<string> {
  const path = join(layout.runtime, name);
  await ensurePrivateDir(path);
  return path;
}

/** A lease of somebody whose process cannot be looked at, last touched `ageMs` ago by our wall clock. */
async function leaseOf(
  owner: Record<string, unknown>,
  fields: { readonly runtimeDir: string; readonly outputDir?: string },
  ageMs = 0,
): Promise<string> {
  const path = join(layout.leases, "w.0a0b0c0d0e0f.json");
  await writeFile(path, JSON.stringify({ owner, workspace: "w", ...fields }));
  await touch(path, ageMs);
  return path;
}

async function touch(path: string, ageMs: number): Promise<void> {
  const at = new Date(Date.now() - ageMs);
  await utimes(path, at, at);
}

/** Lets the note about a silent file say that the watch began this long ago. */
async function watchedFor(path: string, ms: number): Promise<void> {
  const note = JSON.parse(await readFile(`${path}.silent`, "utf8"));
  await writeFile(
    `${path}.silent`,
    JSON.stringify({ ...note, monotonicMs: note.monotonicMs - ms }),
  );
}

const stranger = () => ({ ...ownIdentity(), pidNamespace: "another container" });
const dead = () => ({ ...ownIdentity(), startTime: "earlier" });

test("a jump of the clock alone does not make a living stranger's machine garbage", async () => {
  const machine = await runtimeDir("w.00000000");
  const lease = await leaseOf(stranger(), { runtimeDir: machine }, 3_600_000);
  expect((await gc()).collected).toEqual([]);
  // The stranger's next beat.
  await touch(lease, 0);
  await watchedFor(lease, 3_600_000);
  expect((await gc()).collected).toEqual([]);
  expect(await exists(machine)).toBe(true);
});

test("a stranger who stays silent while he is watched is collected, with the note", async () => {
  const machine = await runtimeDir("w.00000000");
  const lease = await leaseOf(stranger(), { runtimeDir: machine }, 3_600_000);
  await gc();
  await watchedFor(lease, 20_000);
  expect((await gc()).collected).toMatchObject([{ workspace: "w", removedDir: machine }]);
  expect(await readdir(layout.leases)).toEqual([]);
  expect(await exists(machine)).toBe(false);
});

test("an unreadable lease protects its workspace's directory, and is told", async () => {
  const mine = await runtimeDir("w.00000000");
  const other = await runtimeDir("x.00000000");
  const lease = join(layout.leases, "w.0a0b0c0d0e0f.json");
  await writeFile(lease, "{ damaged");
  const report = await gc();
  expect(report.unreadable).toEqual([lease]);
  expect(report.collected).toMatchObject([{ removedDir: other }]);
  expect(await exists(mine)).toBe(true);
  await touch(lease, 3_600_000);
  await gc();
  await watchedFor(lease, 20_000);
  await gc();
  expect(await exists(mine)).toBe(false);
});

test("what a killed run was staging goes, and nothing else of the output directory", async () => {
  const machine = await runtimeDir("w.00000000");
  const outputDir = join(dir, "out");
  const ours = `${stagingPrefix(machine)}report`;
  const others = `${stagingPrefix(join(layout.runtime, "w.11111111"))}report`;
  for (const name of [ours, others, "report", ".collecting-mine"]) {
    await mkdir(join(outputDir, name, "deep"), { recursive: true });
  }
  await leaseOf(dead(), { runtimeDir: machine, outputDir });
  await gc();
  expect((await readdir(outputDir)).sort()).toEqual([".collecting-mine", others, "report"].sort());
});

test("half-written lease files of killed writers go, fresh ones stay", async () => {
  const lease = await takeLease(layout, { workspace: "w" });
  await writeFile(join(layout.leases, ".w.json.aaaaaaaaaaaa.tmp"), "{");
  await touch(join(layout.leases, ".w.json.aaaaaaaaaaaa.tmp"), 3_600_000);
  await writeFile(join(layout.leases, ".w.json.bbbbbbbbbbbb.tmp"), "{");
  await gc();
  const left = await readdir(layout.leases);
  expect(left.filter((name) => name.endsWith(".tmp"))).toEqual([".w.json.bbbbbbbbbbbb.tmp"]);
  await lease.release();
});

test("a lease file that a killed writer gave no name goes at once, a living one's stays", async () => {
  const own = ownIdentity();
  const gone = identityTag({ ...own, startTime: "another" });
  const living = `.w.json.${identityTag(own)}.bbbbbbbbbbbb.tmp`;
  // Killed before and after it had written.
  await writeFile(join(layout.leases, `.w.json.${gone}.aaaaaaaaaaaa.tmp`), "");
  await writeFile(join(layout.leases, `.w.json.${gone}.cccccccccccc.tmp`), "{}");
  await writeFile(join(layout.leases, living), "");
  await gc();
  expect(await readdir(layout.leases)).toEqual([living]);
});

test("whoever kills an owner and is it itself goes on", async () => {
  const lease = await takeLease(layout, { workspace: "w" });
  const [record] = await listLeases(layout);
  if (record === undefined) throw new Error("no lease");
  await withOp("kill", {}, (op) => killOwner(op, record));
  expect(await listLeases(layout)).toMatchObject([{ workspace: "w", ownerAlive: true }]);
  await lease.release();
});
