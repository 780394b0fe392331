import { describe, expect, type Machine, test, vmTest } from "microagent-ci/vitest/test";
import { afterAll, vi } from "vitest";

test("fake timers do not stop a machine's calls", async ({ vm }) => {
  vi.useFakeTimers();
  try {
    expect(await vm.exec`sleep 0.1; echo on`).toSucceed();
    await using server = await vm.spawn(["httpd", "-f", "-p", "80"]);
    await vm.waitFor.port(80);
    expect((await vm.port(80).fetch("/none")).status).toBe(404);
    await expect(vm.waitFor.file("/none", { timeout: 200 })).rejects.toThrow(/did not appear/);
    server.kill();
  } finally {
    vi.useRealTimers();
  }
});

const attempts: Machine[] = [];
test("a retry gets a machine of its own", { retry: 1 }, async ({ vm, task }) => {
  expect((await vm.exec`cat /tried`).exitCode).toBe(1);
  await vm.writeFile("/tried", "yes");
  attempts.push(vm);
  if (task.result?.retryCount === 0 || attempts.length < 2) expect.fail("the first attempt");
  await expect(attempts[0]?.exec(["true"])).rejects.toThrow(/is gone: its test has ended/);
});

const repeated = new Set<string>();
test("each repetition gets a machine of its own", { repeats: 2 }, async ({ vm }) => {
  repeated.add(vm.name);
  expect((await vm.exec`cat /seen`).exitCode).toBe(1);
  await vm.writeFile("/seen", "");
});
test("and they were three", () => {
  expect(repeated.size).toBe(3);
});

let live = 0;
let most = 0;
describe.concurrent("side by side", () => {
  for (let index = 0; index < 20; index++) {
    test(`writer ${index}`, async ({ vm, expect: own }) => {
      most = Math.max(most, ++live);
      await vm.writeFile("/who", `${index}`);
      own((await vm.exec`cat /who`).stdout).toBe(`${index}`);
      live--;
    });
  }
});
afterAll(() => {
  // 768 MiB hold three machines of 256.
  expect(most).toBeLessThanOrEqual(3);
});

test("several machines of one test, and each has its name", async ({ boot }) => {
  const [a, b] = await Promise.all([boot({ name: "alpha" }), boot({ name: "beta" })]);
  const name = async (vm: Machine) => (await vm.exec`hostname`).stdout.trim();
  expect([await name(a), await name(b)]).toEqual(["alpha", "beta"]);
});

test("options of one test come by meta", { meta: { microvm: { template: "other" } } }, async ({
  vm,
}) => {
  expect(vm.template).toBe("other");
});

const others = vmTest({ template: "other" });
others("a test of another template", async ({ vm, boot }) => {
  expect(vm.template).toBe("other");
  expect((await boot({ template: "box" })).template).toBe("box");
});

describe("an overridden spec", () => {
  test.override("spec", { template: "other" });
  test("is that of the suite", async ({ vm }) => {
    expect(vm.template).toBe("other");
  });
});

test("polling composes with matchers", async ({ vm }) => {
  await vm.spawn(["sh", "-c", "sleep 0.4; touch /late; sleep 60"]);
  await expect.poll(() => vm.exec`ls /late`, { timeout: 10_000 }).toSucceed();
});

test("a template that nobody declared is named", async ({ boot }) => {
  await expect(boot({ template: `no${"ne"}` })).rejects.toThrow(
    /no template "none".*"box", "other"/,
  );
});
