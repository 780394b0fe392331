import { readdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { keepAsWorkspace, type Op, randomHex } from "../../src/index.ts";
import type { Machine } from "../machine/machine.ts";
import type { Host } from "../worker/host.ts";

/** Of the workspaces that hold machines of failed tests. */
const prefix = "failed-";
/** Each takes what its memory and its disk take. */
const keptMax = 10;
const tag = "failed";

/**
 * Keeps a machine as it is in a workspace, and says how to go on in it. Bounded: whoever never looks at what was kept
 * does not fill a disk with it.
 */
export async function keepMachine(
  op: Op,
  machine: Machine,
  test: string,
  host: Host,
): Promise<string> {
  const { engine } = host;
  const there = await readdir(engine.layout.workspaces).catch(() => []);
  const kept = there.filter((each) => each.startsWith(prefix));
  if (kept.length >= keptMax) {
    return `not saved: ${kept.length} machines of failed tests are kept already (npx microagent delete ${kept[0]})`;
  }
  const hex = randomHex(3);
  const name = `${prefix}${machine.hostname.slice(0, 30)}-${hex}`;
  const reason = `Kept as it was when the test "${test}" failed`;
  await keepAsWorkspace(op, engine, machine.workspace, host.plan(machine.template), {
    name,
    tag,
    reason,
  });
  const where = stateFlag(engine.layout.root);
  return [
    `saved as it is now, in workspace "${name}"; to go on in a copy of it:`,
    `  npx microagent create debug-${hex} --from-snapshot ${name}:${tag}${where}`,
    `  npx microagent connect debug-${hex}${where}`,
    `or in a test: boot({ snapshot: "${name}:${tag}" })`,
  ].join("\n");
}

/** A terminal has not what the test's environment says. */
function stateFlag(root: string): string {
  return root === join(homedir(), ".microagent") ? "" : ` --state-dir ${quoted(root)}`;
}

function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
