import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Flags } from "../../src/spec/flags.ts";
import { parseSpec } from "../../src/spec/load.ts";
import { mergeSpec } from "../../src/spec/merge.ts";
import type { RunPlan } from "../../src/spec/plan.ts";
import { runPlanOnce } from "../../src/workspace/run-plan.ts";
import { exitCodeFor } from "../../src/workspace/termination.ts";
import type { MemoryOptions } from "../../supervisors/memory/index.ts";
import { memoryEngine } from "./memory-engine.ts";

let dir: string;
let out: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-sim-"));
  out = join(dir, "out");
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

const withNote: MemoryOptions = { guest: { files: { "/note": "kept" } } };

function planOf(flags: Flags, spec?: string): RunPlan {
  return mergeSpec({
    flags: { image: "local/sim", command: ["echo", "hello"], ...flags },
    file: spec === undefined ? null : parseSpec(spec, join(dir, "agent.yaml"), dir),
    surface: "dispatch",
    cwd: dir,
  });
}

async function resultIn(outputDir: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(join(outputDir, "result.json"), "utf8"));
}

test("a failed boot replaces the record and the outputs of an earlier run", async () => {
  const flags = { name: "twice", output: ["note=/note"], outputDir: out };
  const { engine, supervisor } = await memoryEngine(dir, withNote);
  await runPlanOnce(engine, planOf(flags), {});
  expect(await resultIn(out)).toMatchObject({ exit_code: 0 });
  await writeFile(join(out, "egress.jsonl"), "");
  supervisor.control.inject({ kind: "start-fails", detail: "no memory" });
  const failed = await runPlanOnce(engine, planOf(flags), {});
  expect(failed.outputDir).toBe(out);
  expect(await resultIn(out)).toMatchObject({
    final_state: "failed",
    result: null,
    error: { code: "vmm_failed" },
  });
  expect((await readdir(out)).sort()).toEqual(["manifest.json", "result.json"]);
  // What was ours stays ours: the next run may use the same name.
  const again = await runPlanOnce(engine, planOf(flags), {});
  expect(again.outputs.written).toEqual(["note"]);
});

test("only what an earlier run made goes: a manifest that points elsewhere removes nothing", async () => {
  await mkdir(join(dir, "precious"));
  await mkdir(out);
  await writeFile(join(out, "manifest.json"), JSON.stringify({ outputs: ["../precious", "."] }));
  const { engine } = await memoryEngine(dir, withNote);
  await runPlanOnce(engine, planOf({ outputDir: out }), {});
  expect(await readdir(dir)).toContain("precious");
  expect(await resultIn(out)).toMatchObject({ exit_code: 0 });
});

test("a run whose name is taken leaves the other's output directory alone", async () => {
  const { engine } = await memoryEngine(dir, withNote);
  await mkdir(join(engine.layout.workspaces, "taken"), { recursive: true });
  await mkdir(out);
  await writeFile(join(out, "result.json"), "theirs");
  const flags = { name: "taken", output: ["note=/note"], outputDir: out };
  const result = await runPlanOnce(engine, planOf(flags), {});
  expect(result).toMatchObject({ outputDir: null, termination: { error: { code: "name_taken" } } });
  expect(await readFile(join(out, "result.json"), "utf8")).toBe("theirs");
});

test("--output-dir without declared outputs still gets the record", async () => {
  const { engine } = await memoryEngine(dir, {});
  await runPlanOnce(engine, planOf({ outputDir: out }), {});
  expect(await readdir(out)).toEqual(expect.arrayContaining(["manifest.json", "result.json"]));
  const without = await runPlanOnce(engine, planOf({ name: "quiet" }), {});
  expect(without.outputDir).toBeNull();
});

test.each([
  ["a file in its way", () => join(dir, "base.erofs", "deep", "out")],
  ["a directory in which nothing can be made", () => "/proc/none/deep/out"],
])("an output directory with %s is refused before anything boots", async (_name, where) => {
  const { engine, supervisor } = await memoryEngine(dir, withNote);
  const plan = planOf({ output: ["note=/note"], outputDir: where() });
  await expect(runPlanOnce(engine, plan, {})).rejects.toMatchObject({
    code: "invalid_argument",
    message: expect.stringContaining(`--output-dir`),
    hint: expect.stringContaining("--output-dir"),
  });
  expect(supervisor.control.startedCount).toBe(0);
});

test.each([
  ["directory", (path: string) => mkdir(path)],
  ["link that leads nowhere", (path: string) => symlink("nowhere", path)],
])(
  "an output that would replace a stranger's %s is refused before anything boots",
  async (_what, make) => {
    const { engine, supervisor } = await memoryEngine(dir, withNote);
    await mkdir(out);
    await make(join(out, "note"));
    const plan = planOf({ output: ["note=/note"], outputDir: out });
    await expect(runPlanOnce(engine, plan, {})).rejects.toMatchObject({ code: "output_refused" });
    expect(supervisor.control.startedCount).toBe(0);
  },
);

test("an output directory that breaks while the guest runs is a failure, unless the guest failed itself", async () => {
  const { engine } = await memoryEngine(dir, withNote);
  for (const [exec, exitCode] of [
    ["echo up", 1],
    ["echo up; exit 7", 7],
  ] as const) {
    await rm(out, { recursive: true, force: true });
    const plan = planOf({ command: [], exec, output: ["note=/note"], outputDir: out });
    const result = await runPlanOnce(engine, plan, {
      onOutput: async () => await writeFile(out, "in the way"),
    });
    const lost = result.outputs.incomplete;
    expect(lost[0]).toMatchObject({ output: "note", error: { code: "invalid_argument" } });
    expect(lost.at(-1)).toMatchObject({ output: "result.json" });
    expect(exitCodeFor(result.termination)).toBe(exitCode);
  }
});

test("two runs of one Agentfile at once both run: its name gives way, --name does not", async () => {
  const { engine } = await memoryEngine(dir, withNote);
  const spec = "name: nightly\noutputs:\n  - name: note\n    path: /note\n";
  const start = () => {
    const flags = { command: [], exec: "echo up; sleep 0.3" };
    return runPlanOnce(engine, planOf(flags, spec), {});
  };
  const [first, second] = await Promise.all([start(), start()]);
  for (const run of [first, second]) {
    expect(run.termination).toEqual({ kind: "exited", exitCode: 0 });
    expect(run.outputDir).toBe(join(dir, "microagent-out", run.workspace));
    expect(await resultIn(run.outputDir ?? "")).toMatchObject({ workspace: run.workspace });
  }
  const names = [first.workspace, second.workspace].sort();
  expect(names[0]).toBe("nightly");
  expect(names[1]).toMatch(/^nightly-[a-z0-9]{4}$/);

  const insisting = () => {
    const flags = { name: "mine", command: [], exec: "echo up; sleep 0.3" };
    return runPlanOnce(engine, planOf(flags, spec), {});
  };
  const kinds = (await Promise.all([insisting(), insisting()])).map((run) => run.termination.kind);
  expect(kinds.sort()).toEqual(["exited", "failed"]);
});

test("a workspace that cannot be kept is not said to be kept, and its run has failed", async () => {
  const { engine } = await memoryEngine(dir, {});
  const kept = join(engine.layout.workspaces, "keeper");
  const blocking = async () => {
    await mkdir(join(kept, "in the way"), { recursive: true });
  };
  const flags = { name: "keeper", keep: true, command: [], exec: "echo up" };
  const result = await runPlanOnce(engine, planOf(flags), { onOutput: blocking });
  expect(result).toMatchObject({ keptAt: null, termination: { error: { code: "store_corrupt" } } });
  expect(await readdir(engine.layout.leases)).toEqual([]);
  expect(await readdir(engine.layout.runtime)).toEqual([]);
});
