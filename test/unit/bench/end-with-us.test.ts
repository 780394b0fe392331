import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, test } from "vitest";
import { identityOf, isAlive } from "../../../src/host/process-identity.ts";

const module = join(import.meta.dirname, "../../../bench/floor/end-with-us.mjs");
/** A benchmark with three floors, of which one has ended; says the others' process ids. */
const benchmark = `
import { spawn } from "node:child_process";
import { once } from "node:events";
import { endWithUs } from ${JSON.stringify(module)};
const floors = ["100", "0", "100"].map((seconds) => {
  const child = spawn("sleep", [seconds], { stdio: "ignore" });
  endWithUs(child);
  return child;
});
await once(floors[1], "exit");
console.log([floors[0].pid, floors[2].pid].join(" "));
process.stdin.resume();
await once(process.stdin, "end");
for (const child of floors) child.kill();
`;

test.each(["is killed", "ends"])("no floor outlives a benchmark that %s", async (how) => {
  const args = ["--input-type=module", "-e", benchmark];
  const owner = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(owner, "exit");
  const [line] = await once(owner.stdout, "data");
  const floors = String(line)
    .trim()
    .split(" ")
    .map((pid) => identityOf(Number(pid)));
  expect(floors).not.toContain(null);
  if (how === "is killed") owner.kill("SIGKILL");
  else owner.stdin.end();
  const [code] = await ended;
  expect(code).toBe(how === "is killed" ? null : 0);
  for (const floor of floors) {
    await expect.poll(() => floor !== null && isAlive(floor), { timeout: 10_000 }).toBe(false);
  }
});
