import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ClientGate, openClientGate } from "../../fixtures/client-gate.ts";
import { freePort } from "../../fixtures/free-port.ts";
import { startGit } from "../../fixtures/git-server.ts";
import { exampleRule, host } from "../../fixtures/swap-gate.ts";
import type { WebServer } from "../../fixtures/web-server.ts";
import { ask } from "../../support/client-program.ts";

let dir: string;
let server: WebServer;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-git-"));
  server = await startGit(dir);
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

/** git, as if it were in the guest. */
async function git(gate: ClientGate, name: string, entrance: number, ...words: string[]) {
  const url = `https://${name}:${entrance}/repo.git`;
  const settings = {
    // With HTTP/2, one push of eight hangs in curl 7.88 of Debian 12, without a gate as well.
    "http.version": "HTTP/1.1",
    "http.sslCAInfo": gate.caFile,
    "http.curloptResolve": `${name}:${entrance}:127.0.0.1`,
    "user.name": "someone",
    "user.email": "someone@example.test",
  };
  const set = Object.entries(settings).flatMap(([key, value]) => ["-c", `${key}=${value}`]);
  const got = await ask("git", [...set, ...words.map((word) => (word === "URL" ? url : word))]);
  expect(got.code, got.stderr).toBe(0);
}

const name = "git.example.test";

test.each([
  ["a listed host", name, () => ({ allow: [name] })],
  [
    "a host whose credential is swapped",
    host,
    (port: number) => ({ allow: [], swaps: [{ ...exampleRule, domains: [`${host}:${port}`] }] }),
  ],
])("git clones from, and pushes to, %s", async (_what, of, more) => {
  const port = await freePort();
  await using gate = await openClientGate({ places: { [of]: server.port }, ...more(port) });
  await gate.entrance(of, port, port);
  const [work, again] = [join(dir, `${of}-work`), join(dir, `${of}-again`)];
  await git(gate, of, port, "clone", "-q", "URL", work);
  const content = randomBytes(3 * 1024 * 1024);
  await writeFile(join(work, "file"), content);
  await git(gate, of, port, "-C", work, "add", "file");
  await git(gate, of, port, "-C", work, "commit", "-qm", "a file");
  await git(gate, of, port, "-C", work, "push", "-q", "URL", `HEAD:refs/heads/${of}`);
  await git(gate, of, port, "clone", "-q", "--branch", of, "URL", again);
  expect((await readFile(join(again, "file"))).equals(content)).toBe(true);
  expect((await gate.audit()).complaints).toEqual([]);
});
