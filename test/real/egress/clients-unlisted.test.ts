import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findProgram } from "../../../scripts/host-packages.mjs";
import { type ClientGate, openClientGate } from "../../fixtures/client-gate.ts";
import { startWeb, type WebServer } from "../../fixtures/web-server.ts";
import { ask } from "../../support/client-program.ts";

const [listed, unlisted] = ["listed.example.test", "unlisted.example.test"];
const names = join(import.meta.dirname, "..", "..", "fixtures", "clients", "loopback-names.cjs");

let dir: string;
let web: WebServer;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-unlisted-"));
  web = await startWeb({ speaks: "https" });
});
afterAll(async () => {
  await web?.[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

const git = (gate: ClientGate, name: string, port: number) =>
  ask("git", [
    ...["-c", `http.sslCAInfo=${gate.caFile}`],
    ...["-c", `http.curloptResolve=${name}:${port}:127.0.0.1`],
    ...["ls-remote", `https://${name}:${port}/repo.git`],
  ]);

/** Without `--fetch-retries=0` it would take a minute and a half to say so. */
const npm = (gate: ClientGate, name: string, port: number) =>
  ask(
    findProgram("npm") ?? "npm",
    ["view", "greeting", "--fetch-retries=0", "--registry", `https://${name}:${port}/`],
    {
      cwd: dir,
      env: {
        NODE_OPTIONS: `--require ${names}`,
        npm_config_cafile: gate.caFile,
        npm_config_cache: join(dir, "cache"),
        npm_config_update_notifier: "false",
      },
    },
  );

test.each([
  ["git", git],
  ["npm", npm],
] as const)(
  "%s that asks an unlisted host is refused before its server hears of it, and the receipt names the host",
  async (_what, run) => {
    const places = { [listed]: web.port, [unlisted]: web.port };
    await using gate = await openClientGate({ places, allow: [listed] });
    const asking = async (name: string) => await run(gate, name, await gate.entrance(name));
    // The client works as such: it hears the server of a listed host, whose answer is no repository and no registry.
    const from = web.requests.length;
    const said = await asking(listed);
    const heard = web.requests.length;
    expect(heard, said.stderr).toBeGreaterThan(from);
    const got = await asking(unlisted);
    expect(got.code).not.toBe(0);
    expect(web.requests.length).toBe(heard);
    const { complaints, lines, summary } = await gate.audit();
    expect(complaints.length).toBeGreaterThan(0);
    expect(new Set(complaints)).toEqual(new Set([`${unlisted}: "${unlisted}" is not listed`]));
    const denied = lines.filter(({ event }) => event.includes("deny"));
    expect(denied.every(({ signal }) => signal === "denied")).toBe(true);
    expect(summary.allowable).toHaveLength(1);
    expect(summary.allowable[0]).toContain(unlisted);
  },
);
