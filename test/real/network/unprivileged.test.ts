import { execFile } from "node:child_process";
import { getuid } from "node:process";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Canary, startCanary } from "../../fixtures/canary.ts";
import { cliPath } from "../../fixtures/cli.ts";
import { openWorkbench, type Workbench } from "../../fixtures/workbench.ts";

const run = promisify(execFile);

let bench: Workbench;
let web: Canary;
beforeAll(async () => {
  bench = await openWorkbench();
  web = await startCanary((socket) => {
    socket.once("data", () => socket.end("HTTP/1.0 200 OK\r\n\r\nfrom the index\n"));
  });
});
afterAll(async () => {
  await web?.[Symbol.asyncDispose]();
  await bench?.[Symbol.asyncDispose]();
});

/** Runs a program that may do nothing an ordinary user may not; an ordinary user has nothing to give up. */
async function withoutRights(program: string, ...words: string[]) {
  const none = ["--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all"];
  const dropped = getuid?.() === 0 ? none : [];
  const env = { ...process.env, MICROAGENT_STATE_DIR: bench.stateDir };
  return await run("setpriv", [...dropped, "--no-new-privs", program, ...words], { env });
}

test("the network, its policy and published ports take no rights on the host", async () => {
  const { stdout: rights } = await withoutRights("grep", "^Cap[A-Z][a-z]*:", "/proc/self/status");
  expect(rights).toMatch(/CapEff:\s+0+\n/);
  const { stdout, stderr } = await withoutRights(
    process.execPath,
    cliPath,
    "run",
    ...["--egress", "strict", "--egress-allow", "index.test", "--publish", "0:8080"],
    ...["--egress-host", `index.test=127.0.0.1:${web.port}`, bench.image],
    ...["sh", "-c", "wget -qO- http://index.test/; nc 10.1.2.3 5432 2>&1; true"],
  );
  expect(stdout).toBe(
    "from the index\nnc: can't connect to remote host (10.1.2.3): Connection refused\n",
  );
  expect(stderr).toMatch(/Guest port 8080 is published at 127\.0\.0\.1:\d+/);
  expect(stderr).toContain("10.1.2.3:5432: 1 denied");
});
