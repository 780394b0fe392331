import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseSpec } from "../../src/spec/load.ts";
import { mergeSpec } from "../../src/spec/merge.ts";
import type { RunPlan } from "../../src/spec/plan.ts";
import { runPlanOnce } from "../../src/workspace/run-plan.ts";
import { exitCodeFor } from "../../src/workspace/termination.ts";
import { expectNothingLeft, memoryEngine } from "./memory-engine.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-interrupt-"));
  await writeFile(join(dir, "in"), "given");
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

/** A run that has every step. */
function plan(keep: boolean): RunPlan {
  return mergeSpec({
    flags: {
      image: "local/sim",
      name: "sim",
      command: [],
      exec: "echo made > /note; echo up",
      setup: ["echo ready"],
      output: ["note=/note", "other=/note"],
      outputDir: join(dir, "out"),
      keep,
    },
    file: parseSpec("files: [{ src: ./in, dst: /in }]\n", join(dir, "agent.yaml"), dir),
    surface: "dispatch",
    cwd: dir,
  });
}

/** Names of all steps of the run, in their order. */
async function stepsOf(keep: boolean): Promise<readonly string[]> {
  const { engine } = await memoryEngine(dir, {});
  const names = new Set<string>();
  await runPlanOnce(engine, plan(keep), {
    onProgress: (event) => event.kind === "step-start" && names.add(event.path),
  });
  await rm(join(dir, "state"), { recursive: true, force: true });
  await rm(join(dir, "out"), { recursive: true, force: true });
  return [...names];
}

test.each([
  ["SIGHUP", 129, false],
  ["SIGINT", 130, true],
  ["SIGTERM", 143, false],
] as const)(
  "%s in each step of a run ends it with %i, and leaves its record and nothing else",
  async (signal, code, keep) => {
    const steps = await stepsOf(keep);
    expect(steps).toEqual(
      expect.arrayContaining(
        ["boot", "setup", "files", "run", "outputs", "disconnect", "teardown"].map(
          (name) => `dispatch/${name}`,
        ),
      ),
    );
    for (const step of steps.filter((path) => path.startsWith("dispatch/"))) {
      const { engine, supervisor } = await memoryEngine(dir, {});
      const controller = new AbortController();
      const result = await runPlanOnce(engine, plan(keep), {
        signal: controller.signal,
        onProgress: (event) => {
          if (event.kind === "step-start" && event.path === step) controller.abort({ signal });
        },
      });
      expect(controller.signal.aborted, step).toBe(true);
      expect(result.termination, step).toEqual({ kind: "interrupted", signal });
      expect(exitCodeFor(result.termination)).toBe(code);
      const written = JSON.parse(await readFile(join(dir, "out", "result.json"), "utf8"));
      expect(written.exit_code, step).toBe(code);
      await expectNothingLeft(engine, supervisor);
      await rm(join(dir, "state"), { recursive: true, force: true });
      await rm(join(dir, "out"), { recursive: true, force: true });
    }
  },
);
