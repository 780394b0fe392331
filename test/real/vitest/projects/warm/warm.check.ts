import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "microagent-ci/vitest/test";

const { MICROAGENT_STATE_DIR = "", PLUGIN_TEST_HOLD } = process.env;

/** The machines of this run, but for one. */
function besides(name: string): string[] {
  const names = readdirSync(join(MICROAGENT_STATE_DIR, "runtime")).map((each) =>
    each.replace(/\.[0-9a-f]+$/, ""),
  );
  return names.filter((each) => each !== name);
}

let ready: string[] = [];

test("two stand ready while the first test runs", async ({ vm }) => {
  // They are made one after the other.
  await expect.poll(() => besides(vm.name), { timeout: 30_000 }).toHaveLength(2);
  ready = besides(vm.name);
  if (PLUGIN_TEST_HOLD !== undefined) {
    console.log("HOLDING");
    await vm.exec("sleep 100");
  }
});

test("the second test has one of them, and it is a machine like any other", async ({ vm }) => {
  expect(ready).toContain(vm.name);
  const { stdout } = await vm.exec`hostname; date +%s`;
  const [hostname, seconds] = stdout.split("\n");
  expect(hostname).toBe("vm");
  expect(Math.abs(Number(seconds) - Date.now() / 1000)).toBeLessThan(5);
  await vm.writeFile("/note", "mine");
  const [copy] = await vm.fork(1);
  expect(await copy?.readFile("/note", "utf8")).toBe("mine");
});

test("those that stand ready make way for others", async ({ vm, boot }) => {
  // The budget is three machines.
  const others = [await boot({ name: "one" }), await boot({ name: "two" })];
  for (const each of [vm, ...others]) expect(await each.exec`true`).toSucceed();
});

test("none stands ready when no test is to come", async ({ vm }) => {
  await expect.poll(() => besides(vm.name), { timeout: 30_000 }).toEqual([]);
});
