import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, type Machine, test, vmTest } from "microagent-ci/vitest/test";

test("exec forms", async ({ vm }) => {
  const odd = "it's $HOME";
  expect((await vm.exec`printf %s ${odd}`).stdout).toBe(odd);
  expect((await vm.exec(["printf", "%s", odd])).stdout).toBe(odd);
  expect((await vm.exec({ cwd: "/tmp", env: { A: "b" } })`pwd; echo $A`).stdout).toBe("/tmp\nb\n");
  expect((await vm.exec(["cat"], { stdin: "given" })).stdout).toBe("given");
  await expect(vm.exec(["false"], { check: true })).rejects.toThrow(/ended with exit code 1/);
  const late = await vm.exec(["sleep", "20"], { timeout: 300 });
  expect(late.timedOut).toBe(true);
  await expect(vm.shell("false; echo no")).rejects.toThrow();
  expect(await vm.exec`exit 4`).toExitWith(4);
});

test("files", async ({ vm }) => {
  await vm.writeFile("/data/a/b.txt", "hello", { mode: 0o600 });
  expect(await vm.readFile("/data/a/b.txt", "utf8")).toBe("hello");
  await vm.exec`ln -s b.txt /data/a/link`;
  expect(await vm.readFile("/data/a/link", "utf8")).toBe("hello");
  await expect(vm).toHaveFile("/data/a/b.txt", { content: "hello", mode: 0o600, owner: 0 });
  expect(await vm.glob("/data/**/*.txt")).toEqual(["/data/a/b.txt"]);
  const dir = await mkdtemp(join(tmpdir(), "verbs-"));
  await writeFile(join(dir, "in"), "from the host");
  await vm.copyIn(dir, "/in");
  expect((await vm.exec`cat /in/in`).stdout).toBe("from the host");
  await vm.copyOut("/data", join(dir, "out"));
  expect(await readFile(join(dir, "out/a/b.txt"), "utf8")).toBe("hello");
  await vm.copyOut("/data/a/b.txt", join(dir, "single.txt"));
  expect(await readFile(join(dir, "single.txt"), "utf8")).toBe("hello");
  await vm.rm("/data");
  await vm.rm("/data");
  await expect(vm.stat("/data")).rejects.toMatchObject({ code: "guest_file_not_found" });
  await expect(vm).not.toHaveFile("/data/a/b.txt");
  await vm.mkdir("/deep/er");
  expect((await vm.stat("/deep/er")).type).toBe("dir");
  await expect(vm).toHaveChangedOnly(["/in/", "/deep/", "/tmp/"]);
  await expect(expect(vm).toHaveChangedOnly(["/in/", "/tmp/"])).rejects.toThrow(
    /has changed more:\s+\/deep\//,
  );
  await expect(vm).not.toHaveChangedOnly(["/deep/"]);
});

test("ports and waits", async ({ vm }) => {
  await vm.shell("mkdir -p /www && echo page > /www/index.html");
  await using server = await vm.spawn(["httpd", "-f", "-p", "8080", "-h", "/www"]);
  await vm.waitFor.port(8080);
  await expect(vm).toListenOn(8080);
  await expect(vm).toHaveProcess("httpd");
  const answer = await vm.port(8080).fetch("/index.html");
  expect([answer.status, await answer.text()]).toEqual([200, "page\n"]);
  expect((await vm.waitFor.http(8080, { path: "/index.html" })).status).toBe(200);
  expect((await vm.port(8080).fetch("/none")).status).toBe(404);
  server.kill();
  expect((await server.wait()).signal).toBe("SIGTERM");
  await vm.waitFor.closedPort(8080);
  await vm.waitFor.exit("httpd");
  await expect(vm.waitFor.port(9, { timeout: 300 })).rejects.toThrow(
    /Port 9 did not open .* 300 ms; last seen/,
  );
  await expect(vm.port(8080).connect()).rejects.toMatchObject({ code: "guest_refused" });
  await using _writer = await vm.spawn([
    "sh",
    "-c",
    "sleep 0.3; echo one > /log; sleep 0.3; echo two 42 >> /log; sleep 30",
  ]);
  const found = await vm.waitFor.log("/log", /two (\d+)/);
  expect(found[1]).toBe("42");
  await vm.waitFor.file("/log");
  await vm.waitFor.command("grep -q two /log");
  await vm.until(async () => (await vm.exec`wc -l < /log`).stdout.trim() === "2");
  await expect.poll(() => vm.exec`cat /log`).toSucceed();
  const dying = vm.waitFor.port(9);
  dying.catch(() => {});
  await vm.crash();
  await expect(dying).rejects.toThrow(/ended/);
});

test("state", async ({ vm }) => {
  await vm.writeFile("/state", "one");
  await vm.snapshot();
  await vm.writeFile("/state", "two");
  await vm.restore();
  expect(await vm.readFile("/state", "utf8")).toBe("one");
  const [a, b] = (await vm.fork(2)) as [Machine, Machine];
  await a.writeFile("/state", "a");
  expect(await b.readFile("/state", "utf8")).toBe("one");
  const uuid = "cat /proc/sys/kernel/random/uuid";
  expect((await a.shell(uuid)).stdout).not.toBe((await b.shell(uuid)).stdout);
  await vm.pause();
  await vm.resume();
  expect(await vm.exec`true`).toSucceed();
  await vm.setClock(new Date("2030-01-02T03:04:05Z"));
  expect((await vm.exec`date -u +%Y`).stdout).toBe("2030\n");
  await vm.restore();
  expect((await vm.exec`date -u +%Y`).stdout).toBe(`${new Date().getUTCFullYear()}\n`);
});

test("power cut", async ({ vm }) => {
  await vm.shell("echo safe > /safe; sync; sync; echo lost > /lost; echo $$ > /run/pid");
  await vm.crash();
  await vm.powerOn();
  expect(await vm.readFile("/safe", "utf8")).toBe("safe\n");
  await expect(vm).not.toHaveFile("/run/pid");
  await vm.powerOff();
  await vm.powerOn();
  expect(await vm.readFile("/safe", "utf8")).toBe("safe\n");
});

test("faults", async ({ vm }) => {
  await vm.disk.fill({ freeBytes: 1 << 20 });
  const full = await vm.exec`dd if=/dev/zero of=/big bs=1M count=8`;
  expect(full.exitCode).not.toBe(0);
  expect(full.stderr).toContain("No space");
  await vm.disk.free();
  expect(await vm.exec`dd if=/dev/zero of=/big bs=1M count=8`).toSucceed();
  const freeMib = async () =>
    Number((await vm.exec`awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo`).stdout);
  const before = await freeMib();
  await vm.memory.pressure(64);
  expect(before - (await freeMib())).toBeGreaterThan(48);
  await vm.memory.release();
  expect(before - (await freeMib())).toBeLessThan(32);
  await expect(vm.link.down()).rejects.toThrow(/no network/);
});

const online = vmTest({ template: "online" });
online("the cable", async ({ vm }) => {
  const ping = () => vm.exec({ timeout: 5_000 })`ping -c 1 -W 1 10.0.2.2`;
  expect(await ping()).toSucceed();
  await vm.link.down();
  expect((await ping()).exitCode).not.toBe(0);
  await vm.link.up();
  expect(await ping()).toSucceed();
});
