import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Op, withOp } from "../../../src/base/op.ts";
import { nothingAttached } from "../../../src/workspace/attachments.ts";
import { networkRequestOf } from "../../../src/workspace/network-request.ts";
import { cloneTemplate } from "../../../src/workspace/templates/clone.ts";
import { ensureTemplate } from "../../../src/workspace/templates/ensure.ts";
import type { Template } from "../../../src/workspace/templates/template.ts";
import { type Canary, startCanary } from "../../fixtures/canary.ts";
import { openWorkbench, type Workbench } from "../../fixtures/workbench.ts";
import { someBoot, someTemplate } from "../../support/boot-request.ts";
import { sh } from "../../support/root-shell.ts";

let bench: Workbench;
let peer: Canary;
let template: Template;

const during = <T>(work: (op: Op) => Promise<T>) => withOp("network", { timeoutMs: 400_000 }, work);

/** A process that is connected when the machine is saved, and says when that has come to an end. */
const talker = `
nslookup -type=a peer.test | awk '/^Address/ { last = $NF } END { print last }' > /peer
mkfifo /never
(exec sleep 100000 > /never) 2> /dev/null &
(nc $(cat /peer) 80 < /never > /got; echo "ended" > /ended) > /dev/null 2>&1 &
while ! grep -q hello /got; do sleep 0.05; done
`;

beforeAll(async () => {
  bench = await openWorkbench();
  peer = await startCanary((socket) => socket.write("hello\n"));
  process.env.CLONES_KEY = "sk-not-used";
  const plan = bench.plan(
    {
      egressHost: [`peer.test=127.0.0.1:${peer.port}`],
      credSwap: ["anthropic=env:CLONES_KEY"],
    },
    "agent: {egress: strict, allow: [peer.test]}",
  );
  const attach = { ...nothingAttached, network: networkRequestOf(plan) };
  const request = someTemplate(someBoot(bench.image, { attach }), { setup: [talker] });
  template = await during((op) => ensureTemplate(op, bench.engine, request));
});
afterAll(async () => {
  delete process.env.CLONES_KEY;
  await peer?.[Symbol.asyncDispose]();
  await bench?.[Symbol.asyncDispose]();
});

test("a clone's connections are its own: what was open is reset, what is new is decided and audited for it", async () => {
  await during(async (op) => {
    expect(peer.connections).toBe(1);
    const clone = (name: string) =>
      cloneTemplate(op, bench.engine, template, { name, hostname: name, bootMs: 120_000 });
    await using a = await clone("net-a");
    await using b = await clone("net-b");
    for (const workspace of [a, b]) {
      await sh(op, workspace, "while [ ! -e /ended ]; do sleep 0.05; done");
      expect(await sh(op, workspace, "nc -w 5 $(cat /peer) 80 < /dev/null")).toBe("hello");
      await expect(sh(op, workspace, "nc -w 5 10.1.2.3 80 < /dev/null")).rejects.toThrow();
      expect(await workspace.attachments.network?.receipt()).toMatchObject({
        allow_by_host: { "peer.test": 1 },
        deny_by_host: { "10.1.2.3:80": 1 },
      });
    }
    expect(peer.connections).toBe(3);
  });
});

test("a clone trusts an authority of its own, and has no key", async () => {
  await during(async (op) => {
    const trusted = async (name: string) => {
      await using workspace = await cloneTemplate(op, bench.engine, template, {
        ...{ name, hostname: name, bootMs: 120_000 },
      });
      const { env } = workspace.attachments;
      expect(Object.values(env).join(" ")).not.toContain("sk-not-used");
      const file = env.NODE_EXTRA_CA_CERTS ?? env.SSL_CERT_FILE;
      expect(file).toBeDefined();
      return await sh(op, workspace, `cat ${file}`);
    };
    const [a, b] = [await trusted("trust-a"), await trusted("trust-b")];
    expect(a).toContain("BEGIN CERTIFICATE");
    expect(a).not.toBe(b);
    // Neither is in what was saved: nobody holds the key of the authority of then.
    const memory = await readFile(join(template.path, "memory"));
    expect(memory.includes("sk-not-used")).toBe(false);
  });
});
