import { expect, type Machine, test } from "microagent-ci/vitest/test";

async function startCounter(vm: Machine): Promise<void> {
  await vm.spawn(["python3", "/srv/counter.py"]);
  await vm.waitFor.port(8080, { timeout: 30_000 });
}

async function counted(vm: Machine, method: "GET" | "POST"): Promise<number> {
  const response = await vm.port(8080).fetch("/", { method });
  return Number(await response.text());
}

test("counts, without a port of the host", async ({ vm }) => {
  await startCounter(vm);
  await expect(vm).toListenOn(8080);
  expect(await counted(vm, "POST")).toBe(1);
  expect(await counted(vm, "POST")).toBe(2);
  await expect(vm).toHaveFile("/var/lib/counter", { content: "xx" });
});

test("goes on where it was when its process is killed", async ({ vm }) => {
  await startCounter(vm);
  await counted(vm, "POST");
  await vm.shell("kill -9 $(cat /proc/[0-9]*/stat | grep python3 | cut -d' ' -f1)");
  await vm.waitFor.exit("python3");
  await expect(vm.port(8080).fetch("/")).rejects.toThrow(/port 8080/);
  await startCounter(vm);
  expect(await counted(vm, "GET")).toBe(1);
});

test("has lost nothing that it answered when the power is cut", async ({ vm }) => {
  await startCounter(vm);
  for (const expected of [1, 2, 3]) expect(await counted(vm, "POST")).toBe(expected);
  await vm.crash();
  await vm.powerOn();
  await startCounter(vm);
  expect(await counted(vm, "GET")).toBe(3);
});

test("answers no request that it cannot keep", async ({ vm }) => {
  await startCounter(vm);
  await vm.disk.fill();
  await vm.exec`head -c 65536 /dev/zero > /var/lib/rest`;
  const answered = await counted(vm, "POST").catch(() => null);
  await vm.disk.free();
  if (answered !== null) expect(await counted(vm, "GET")).toBe(answered);
});
