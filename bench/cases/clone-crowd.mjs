// Many machines: one for each of a hundred tests, as two workers take them, and how many live at once.
import { spawn } from "node:child_process";
import { plainFigure } from "../figure.mjs";
import { pssMib } from "../floor/restore.mjs";
import { quantile } from "../measure.mjs";
import { cloneTemplate, withOp } from "../product.mjs";
import { execTrue } from "./exec.mjs";

const tests = 100;
const workers = 2;
const together = 8;
const hostMib = 16 * 1024;
let made = 0;

export function cloneRequest() {
  const name = `bench-clone-${process.pid}-${++made}`;
  return { name, hostname: "bench", bootMs: 120_000 };
}

/** Figures about many clones of a template. */
export async function crowd(bench, template) {
  const asks = [];
  const oursMs = await workedThrough(async () => {
    const asked = performance.now();
    await withOp("bench", async (op) => {
      const workspace = await cloneTemplate(op, bench.engine, template, cloneRequest());
      await execTrue(op, workspace);
      asks.push(performance.now() - asked);
      await workspace.close();
    });
  });
  const bareMs = await workedThrough(bareTrue);
  const each = await livingTogether(bench, template);
  return [
    plainFigure({
      ...{ name: "100 tests with a machine each, 2 workers", unit: "ms", ours: [oursMs] },
      ...{ floor: [bareMs], floorName: "100 child processes" },
    }),
    plainFigure({
      ...{ name: "of which a test above its child process", unit: "ms" },
      ours: [(oursMs - bareMs) / tests],
    }),
    plainFigure({ name: "machines per second", unit: "/s", ours: [(1000 * tests) / oursMs] }),
    plainFigure({ name: "ask to first exec, 2 workers, p50", unit: "ms", ours: asks }),
    plainFigure({
      ...{ name: "ask to first exec, 2 workers, p99", unit: "ms" },
      ours: [quantile(asks, 0.99)],
    }),
    plainFigure({ name: "memory of one among 8 after an exec (PSS)", unit: "MiB", ours: each }),
    plainFigure({
      ...{ name: "machines of that kind in 16 GiB", unit: "" },
      ours: [Math.floor(hostMib / (each.reduce((sum, one) => sum + one, 0) / each.length))],
    }),
  ];
}

async function workedThrough(work) {
  let left = tests;
  const started = performance.now();
  const worker = async () => {
    while (left-- > 0) await work();
  };
  await Promise.all(Array.from({ length: workers }, worker));
  return performance.now() - started;
}

function bareTrue() {
  return new Promise((resolve, reject) => {
    const child = spawn("/bin/true", { stdio: ["ignore", "pipe", "pipe"] });
    child.once("error", reject);
    child.once("close", (code) => (code === 0 ? resolve() : reject(new Error(`true: ${code}`))));
  });
}

async function livingTogether(bench, template) {
  return await withOp("bench", async (op) => {
    const alive = [];
    try {
      for (let index = 0; index < together; index++) {
        const workspace = await cloneTemplate(op, bench.engine, template, cloneRequest());
        alive.push(workspace);
        await execTrue(op, workspace);
      }
      return alive.map((workspace) => pssMib(workspace.pid));
    } finally {
      for (const workspace of alive) await workspace.close();
    }
  });
}
