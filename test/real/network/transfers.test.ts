import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeImageWith } from "../../fixtures/go-image.ts";
import { openWorkbench, type Workbench } from "../../fixtures/workbench.ts";

const MiB = 1024 * 1024;

let bench: Workbench;
let image: string;
/** The server of the benchmarks: each word of what it sends, and of what it takes, is its own number. */
let server: ChildProcess;
let port: number;

beforeAll(async () => {
  bench = await openWorkbench();
  image = await makeImageWith("netload", bench.dir);
  const program = join(import.meta.dirname, "..", "..", "..", "bench", "net", "server.mjs");
  server = spawn(process.execPath, [program], { stdio: ["pipe", "pipe", "inherit"] });
  if (server.stdout === null) throw new Error("The server has no output");
  const [line] = await once(createInterface({ input: server.stdout }), "line");
  port = JSON.parse(line).plain;
});
afterAll(async () => {
  if (server !== undefined) {
    const ended = once(server, "exit");
    server.stdin?.end();
    await ended;
  }
  await bench?.[Symbol.asyncDispose]();
});

test("1 MiB and 100 MiB arrive in both directions with every byte where it belongs", async () => {
  const result = await bench.run({
    image,
    egressHost: [`server.test=127.0.0.1:${port}`],
    exec: `
set -e
to=$(nslookup -type=a server.test | awk '/^Address/ { last = $NF } END { print last }'):7000
for size in ${1 * MiB} ${1 * MiB + 1} ${100 * MiB}; do
  /netload receive $to $size exact && /netload send $to $size exact
done
echo whole`,
  });
  expect(result.termination, result.stderr.text()).toEqual({ kind: "exited", exitCode: 0 });
  expect(result.stdout.text()).toMatch(/whole\n$/);
  expect(result.audit?.allow_by_host).toEqual({ "server.test": 6 });
});

test("a thousand connections, a hundred at once, all come to a good end", async () => {
  const result = await bench.run({
    image,
    egressHost: [`server.test=127.0.0.1:${port}`],
    exec: `
to=$(nslookup -type=a server.test | awk '/^Address/ { last = $NF } END { print last }'):7000
/netload churn $to 1000 100`,
  });
  expect(result.termination, result.stderr.text()).toEqual({ kind: "exited", exitCode: 0 });
  expect(result.audit?.allow_by_host).toEqual({ "server.test": 1000 });
  expect(result.audit?.deny_by_host).toEqual({});
  expect(result.audit?.integrity).toBe("complete");
});
