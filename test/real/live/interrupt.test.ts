import { mkdir, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { listWorkspaces } from "../../../src/workspace/listing.ts";
import { runCli, startCli } from "../../fixtures/cli.ts";
import { openWorkbench, type Workbench } from "../../fixtures/workbench.ts";

let bench: Workbench;
let env: Record<string, string>;
beforeAll(async () => {
  bench = await openWorkbench();
  env = { MICROAGENT_STATE_DIR: bench.stateDir };
  const machine = ["--image", bench.image, "--memory", "512", "--size-mib", "2048"];
  await runCli(["create", "dev", ...machine, "--network", "isolated", "--start"], { env });
});
afterAll(async () => {
  for (const { name } of await listWorkspaces(bench.layout)) {
    await runCli(["rm", name, "--force"], { env });
  }
  await bench[Symbol.asyncDispose]();
});

async function inGuest(command: string): Promise<string> {
  return (await runCli(["exec", "dev", "--", "sh", "-c", command], { env })).stdout;
}

/** Starts a command, sends it a signal when `isUnderWay`, and returns its code. */
async function interrupted(
  words: readonly string[],
  signal: NodeJS.Signals,
  isUnderWay: () => Promise<boolean>,
): Promise<number | null> {
  const run = startCli(words, { env });
  await expect.poll(isUnderWay).toBe(true);
  const signalledAt = performance.now();
  run.child.kill(signal);
  const code = await run.code;
  expect(performance.now() - signalledAt).toBeLessThan(5_000);
  return code;
}

const signals = [
  ["SIGHUP", 129],
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const;

test.each(signals)(
  "cp into a workspace leaves nothing half made there after %s",
  async (signal, code) => {
    const large = join(bench.dir, "large");
    const file = await open(large, "w");
    const block = Buffer.alloc(1 << 20, 1);
    for (let at = 0; at < 700; at++) await file.write(block);
    await file.close();
    const partial = async () => (await inGuest("ls -A /target")).includes(".microagent-");
    await inGuest("rm -rf /target; mkdir /target");
    expect(await interrupted(["cp", large, "dev:/target/large"], signal, partial)).toBe(code);
    await expect.poll(() => inGuest("ls -A /target")).toBe("");
  },
);

test.each(signals)(
  "cp out of a workspace leaves nothing half made here after %s",
  async (signal, code) => {
    await inGuest("test -e /large || dd if=/dev/urandom of=/large bs=1M count=700 2>/dev/null");
    const target = join(bench.dir, `out-${signal}`);
    await mkdir(target);
    const partial = async () => (await readdir(target)).length > 0;
    const words = ["cp", "dev:/large", join(target, "large")];
    expect(await interrupted(words, signal, partial)).toBe(code);
    expect(await readdir(target)).toEqual([]);
  },
);

test.each(signals)(
  "exec ends after %s also when its program does not listen",
  async (signal, code) => {
    await inGuest("rm -f /deaf");
    const script = "trap '' HUP INT TERM; touch /deaf; while :; do sleep 1; done";
    const listens = async () => (await inGuest("ls /deaf 2>/dev/null")) !== "";
    const ended = await interrupted(["exec", "dev", "--", "sh", "-c", script], signal, listens);
    expect([code, 137]).toContain(ended);
    await expect.poll(() => inGuest("ps | grep -c '[t]ouch /deaf'")).toBe("0\n");
  },
);

test.each([
  ["wait", "dev"],
  ["logs", "dev", "--follow"],
  ["events", "dev", "--follow"],
  ["exec", "dev", "--", "sleep", "600"],
  ["--json", "exec", "dev", "--", "sleep", "600"],
])("%s %s %s waits for no longer than a signal", async (...words) => {
  for (const [signal, code] of signals) {
    const begun = performance.now();
    const isUnderWay = async () => performance.now() - begun > 1_500;
    expect(await interrupted(words, signal, isUnderWay), signal).toBe(code);
  }
});
