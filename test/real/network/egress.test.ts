import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { resultJson } from "../../../src/workspace/result-json.ts";
import { openWorkbench, type Workbench } from "../../fixtures/workbench.ts";
import { type HttpIndex, openHttpIndex } from "./http-index.ts";

let bench: Workbench;
beforeAll(async () => {
  bench = await openWorkbench();
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

let index: HttpIndex;
beforeEach(async () => {
  index = await openHttpIndex();
});
afterEach(async () => {
  await index[Symbol.asyncDispose]();
});

/**
 * What an installer does: find the index by name, read its page, fetch what it links to, compare the
 * digest it names. A static program cannot resolve names, so it is done by hand.
 */
const install = (host: string) => `
set -e
ip=$(nslookup -type=a ${host} | awk '/^Address/ { last = $NF } END { print last }')
get() { printf 'GET %s HTTP/1.0\\r\\nHost: ${host}\\r\\n\\r\\n' "$1" | nc -w 5 "$ip" 80 | sed '1,/^\r$/d'; }
link=$(get /simple/tool/ | sed 's/.*href="\\([^"]*\\)".*/\\1/')
get "\${link%%#*}" > /tool.whl
echo "\${link##*sha256=}  /tool.whl" | sha256sum -c -
`;

test("under guarded, setup installs from an index and the audit tells of it", async () => {
  const outputDir = join(bench.dir, "guarded");
  const result = await bench.run({
    egressHost: [`index.test=127.0.0.1:${index.port}`],
    setup: [install("index.test")],
    exec: "ls -l /tool.whl; cat /etc/resolv.conf",
    outputDir,
  });
  expect(result.termination).toEqual({ kind: "exited", exitCode: 0 });
  expect(result.stdout.text()).toContain("300000");
  expect(result.stdout.text()).toContain("nameserver 10.0.2.3");
  expect(index.requests).toEqual(["index.test/simple/tool/", "index.test/files/tool-1.0.whl"]);
  expect(resultJson(result)).toMatchObject({
    network: { mode: "user", egress: "guarded", forwards: [] },
    audit: { allow_by_host: { "index.test": 2 }, deny_by_host: {}, integrity: "complete" },
  });
  const lines = (await readFile(join(outputDir, "egress.jsonl"), "utf8")).trim().split("\n");
  const events = lines.map((line) => JSON.parse(line) as { event: string; host: string });
  expect(events.filter(({ event }) => event === "egress_allow").map(({ host }) => host)).toEqual([
    "index.test",
    "index.test",
  ]);
});

test("under strict, the same setup is refused until its index is listed", async () => {
  const flags = {
    egressHost: [`index.test=127.0.0.1:${index.port}`],
    setup: [install("index.test")],
    exec: "true",
  };
  const spec = "agent: {egress: strict, allow: [other.test]}";
  const refused = await bench.run(flags, { spec });
  expect(refused.termination).toMatchObject({ kind: "setup_failed" });
  expect(index.requests).toEqual([]);
  expect(Object.keys(refused.audit?.deny_by_host ?? {})).toEqual(["index.test"]);

  const listed = await bench.run(flags, {
    spec: "agent: {egress: strict, allow: [other.test, index.test]}",
  });
  expect(listed.termination).toEqual({ kind: "exited", exitCode: 0 });
  expect(listed.audit).toMatchObject({ allow_by_host: { "index.test": 2 }, deny_by_host: {} });
});

test("inside addresses are refused at once, not by a timeout", async () => {
  const result = await bench.run({
    exec: "for to in 169.254.169.254 10.1.2.3 192.168.1.1 100.64.0.1; do nc -w 20 $to 80 < /dev/null; echo $to $?; done; date +%s",
  });
  expect(result.stdout.text()).toMatch(
    /^169\.254\.169\.254 1\n10\.1\.2\.3 1\n192\.168\.1\.1 1\n100\.64\.0\.1 1\n/,
  );
  expect(result.stderr.text()).toContain("Connection refused");
  expect(Object.keys(result.audit?.deny_by_host ?? {}).sort()).toEqual([
    "10.1.2.3:80",
    "100.64.0.1:80",
    "169.254.169.254:80",
    "192.168.1.1:80",
  ]);
});

test("an isolated guest has loopback and no way out, and its files still come back", async () => {
  const outputDir = join(bench.dir, "isolated");
  const result = await bench.run({
    network: "isolated",
    exec: "ip -o addr | grep -v ': lo '; ip route; for to in 1.2.3.4 10.0.2.2; do nc -w 20 $to 80 < /dev/null; echo $?; done; echo hi > /note",
    output: ["note=/note"],
    outputDir,
  });
  expect(result.termination).toEqual({ kind: "exited", exitCode: 0 });
  expect(result.stdout.text()).toBe("1\n1\n");
  expect(result.stderr.text()).toContain("Network is unreachable");
  expect(await readFile(join(outputDir, "note", "note"), "utf8")).toBe("hi\n");
  expect(resultJson(result)).toMatchObject({
    network: { mode: "isolated" },
    audit: { decision_count: 0, integrity: "complete" },
  });
});

test("off is told once, and lets a guest out that asks for any name", async () => {
  const warnings: string[] = [];
  const result = await bench.run(
    {
      egress: "off",
      egressHost: [`index.test=127.0.0.1:${index.port}`],
      exec: install("index.test"),
    },
    {
      onProgress: (event) => {
        if (event.kind === "warning") warnings.push(event.text);
      },
    },
  );
  expect(result.termination).toEqual({ kind: "exited", exitCode: 0 });
  expect(warnings).toEqual([
    "Egress is off: whatever the guest sends leaves this host, unfiltered",
  ]);
});

test("addresses and resolvers of the spec are the guest's", async () => {
  const result = await bench.run(
    { exec: "ip -o -4 addr show eth0; ip route; cat /etc/resolv.conf" },
    { spec: "network: {ip: 10.77.0.9, subnet: 10.77.0.0/16, gateway: 10.77.0.1}" },
  );
  expect(result.stdout.text()).toContain("10.77.0.9/16");
  expect(result.stdout.text()).toContain("default via 10.77.0.1");
  expect(result.stdout.text()).toContain("nameserver 10.77.0.3");
});

test("a server gets what a program had sent when it ended, and the run with it", async () => {
  const size = 2_000_000;
  const heard: Promise<number>[] = [];
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    heard.push(slowly(socket));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const result = await bench.run({
    egressHost: [`upload.test=127.0.0.1:${port}`],
    exec: `head -c ${size} /dev/zero > /big
ip=$(nslookup -type=a upload.test | awk '/^Address/ { last = $NF } END { print last }')
nc "$ip" 9000 -e cat /big`,
  });
  server.close();
  expect(result.termination).toEqual({ kind: "exited", exitCode: 0 });
  expect(await Promise.all(heard)).toEqual([size]);
});

/** Bytes of a connection, which are read some time after they were sent. */
async function slowly(socket: Socket): Promise<number> {
  let count = 0;
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.on("error", () => {});
  socket.on("end", () => socket.end());
  await sleep(700);
  socket.on("data", (part) => {
    count += part.length;
  });
  socket.resume();
  await closed;
  return count;
}
