// `node bench/clone-cycles.mjs [COUNT]`: clones are started, used and closed many times over by one process; processes,
// descriptors, sockets, files and memory are counted on the way. Ends with 1 when something grew. Run a case of
// `npm run bench` first: it builds what is measured here.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { execTrue } from "./cases/exec.mjs";
import { cloneTemplate, ensureTemplate, withOp } from "./product.mjs";
import { openWorkbench } from "./workbench.mjs";

const count = Number(process.argv[2] ?? 1000);
const size = { cpus: 1, memoryMib: 256 };
const bench = openWorkbench({});
const template = await withOp("cycles", async (op) =>
  ensureTemplate(op, bench.engine, await bench.templateRequest(size)),
);
const before = [];
let last = null;
const started = performance.now();
for (let index = 0; index < count; index++) {
  await withOp("cycles", async (op) => {
    const name = `cycle-${process.pid}-${index}`;
    const request = { name, hostname: "cycle", bootMs: 60_000 };
    const workspace = await cloneTemplate(op, bench.engine, template, request);
    await execTrue(op, workspace);
    await workspace.close();
  });
  if ((index + 1) % Math.max(1, Math.floor(count / 10)) !== 0) continue;
  last = counts();
  if (before.length < 2) before.push(last);
  process.stdout.write(`${index + 1}: ${JSON.stringify(last)}\n`);
}
const seconds = (performance.now() - started) / 1000;
const [, settled] = before;
const grew = ["children", "descriptors", "sockets", "files"].filter(
  (key) => last[key] > settled[key],
);
if (last.rssMib > settled.rssMib * 1.5 + 20) grew.push("rssMib");
process.stdout.write(
  `${count} clones in ${seconds.toFixed(1)} s; grew: ${grew.join(", ") || "nothing"}\n`,
);
process.exitCode = grew.length === 0 ? 0 : 1;

function counts() {
  globalThis.gc?.();
  const { layout } = bench.engine;
  const files = [layout.runtime, layout.leases, layout.locks, layout.templates].map(
    (dir) => readdirSync(dir).length,
  );
  const open = readdirSync("/proc/self/fd").map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return "";
    }
  });
  return {
    children: readFileSync(`/proc/self/task/${process.pid}/children`, "utf8")
      .trim()
      .split(/\s+/)
      .filter((pid) => pid !== "").length,
    descriptors: open.length,
    sockets: open.filter((target) => target.startsWith("socket:")).length,
    files: files.reduce((sum, each) => sum + each, 0),
    rssMib: Math.round(process.memoryUsage().rss / (1 << 20)),
  };
}
