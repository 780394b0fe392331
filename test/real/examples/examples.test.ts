import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freshName } from "../../../src/base/ids.ts";
import { stateLayout } from "../../../src/host/state-layout.ts";
import { machinesOf } from "../../fixtures/workbench.ts";

const exec = promisify(execFile);
const root = join(import.meta.dirname, "..", "..", "..");
let dir: string;

beforeAll(async () => {
  await exec(process.execPath, ["scripts/build-dist.mjs"], { cwd: root });
  dir = await mkdtemp(join(tmpdir(), "microagent-examples-"));
});

afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

/** The command of the example's README, in the user's own state directory, under a fresh name. */
async function dispatch(example: string, ...more: string[]) {
  const name = freshName(example);
  const outputDir = join(dir, name);
  const spec = join("examples", example, "microagent.yaml");
  const args = ["dispatch", "--file", spec, "--name", name, "--output-dir", outputDir, ...more];
  const { stdout } = await exec(process.execPath, ["dist/src/cli/main.js", ...args], {
    cwd: root,
    maxBuffer: 64 * 1024 * 1024,
  });
  expect(await machinesOf(join(stateLayout().workspaces, name))).toEqual([]);
  return { stdout, outputDir };
}

/** The report by another hand: counts and failures per job. */
async function expectedCounts(): Promise<string[]> {
  const text = await readFile(join(root, "examples/quickstart/runs.csv"), "utf8");
  const jobs = new Map<string, { runs: number; failed: number }>();
  for (const line of text.trim().split("\n").slice(1)) {
    const [job = "", , , outcome] = line.split(",");
    const { runs, failed } = jobs.get(job) ?? { runs: 0, failed: 0 };
    jobs.set(job, { runs: runs + 1, failed: failed + (outcome === "failed" ? 1 : 0) });
  }
  return [...jobs].map(([job, { runs, failed }]) => `${job},${runs},${failed}`).sort();
}

test("quickstart brings its report back, and the report is right", async () => {
  const { stdout, outputDir } = await dispatch("quickstart");
  expect(stdout).toContain("on Linux");
  const summary = await readFile(join(outputDir, "report", "summary.csv"), "utf8");
  const counts = summary
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.split(",").slice(0, 3).join(","));
  expect(counts).toEqual(await expectedCounts());
  const manifest = JSON.parse(await readFile(join(outputDir, "manifest.json"), "utf8"));
  expect(JSON.stringify(manifest)).toContain("/out/report/summary.csv");
});

test("CPython's own tests pass in the machine and their JUnit report comes back", async () => {
  const { outputDir } = await dispatch("cpython-tests", "--timeout", "1800");
  const junit = await readFile(join(outputDir, "junit", "junit.xml"), "utf8");
  const [, tests = "0"] = /<testsuites tests="(\d+)"/.exec(junit) ?? [];
  expect(Number(tests)).toBeGreaterThan(500);
  expect(junit).toMatch(/<testsuites [^>]*errors="0" failures="0"/);
}, 1_900_000);
