// Child of spawn-child.test.ts and lease.test.ts: owns a sleeping grandchild, then ends as told.
// Arguments: state directory, how to end: "wait", "throw", "exit", "return"; "tool" waits in a tool that
// prints its pid.
import { writeSync } from "node:fs";
import { join } from "node:path";
import { withOp } from "../../../src/base/op.ts";
import { takeLease } from "../../../src/host/lease.ts";
import { runTool } from "../../../src/host/run-tool.ts";
import { spawnChild } from "../../../src/host/spawn-child.ts";
import { ensurePrivateDir, stateLayout } from "../../../src/host/state-layout.ts";

const [stateDir = "", ending = "", deathSignal = "yes"] = process.argv.slice(2);

await withOp("owner", {}, async (op) => {
  if (ending === "tool") {
    const script = 'echo $$ > "$0"; exec sleep 600';
    const told = join(stateDir, "tool.pid");
    await runTool(op, "sh", ["-c", script, told]);
  }
  const layout = stateLayout({ stateDir });
  const runtimeDir = `${layout.runtime}/w1`;
  await ensurePrivateDir(runtimeDir);
  const child = await spawnChild({
    file: "sleep",
    args: ["600"],
    stdio: ["ignore", "ignore", "ignore"],
    parentDeathSignal: deathSignal === "yes",
  });
  await takeLease(layout, { workspace: "w1", vmm: child.identity, runtimeDir });
  writeSync(1, `${child.pid}\n`);
  if (ending === "wait") await op.sleep(600_000);
  if (ending === "throw") throw new Error("unexpected");
  process.exit(0);
});
