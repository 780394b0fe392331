import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type ProgressListener, withOp } from "../../src/base/op.ts";
import type { EgressPolicy } from "../../src/egress/policy.ts";
import { type AttachmentRequest, nothingAttached } from "../../src/workspace/attachments.ts";
import { type DispatchResult, dispatch } from "../../src/workspace/dispatch.ts";
import { egressOf, followEgress } from "../../src/workspace/egress-log.ts";
import { networkOf } from "../../src/workspace/network-record.ts";
import type { NetworkRequest } from "../../src/workspace/network-request.ts";
import { resultJson } from "../../src/workspace/result-json.ts";
import type { GuestScript, ProgramRun } from "../../supervisors/memory/guest-script.ts";
import { policyOf, rules } from "../support/egress-policy.ts";
import { get, lookup } from "./guest-asks.ts";
import { ampleBounds, memoryEngine, someDispatch } from "./memory-engine.ts";

let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "sim-network-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

function networkWith(
  policy: Partial<EgressPolicy> = {},
  change: Partial<NetworkRequest> = {},
): AttachmentRequest {
  return {
    ...nothingAttached,
    network: {
      mode: "user",
      guest: {
        interface: "eth0",
        mtu: 65520,
        ipv4: { address: "10.0.2.15/24", gateway: "10.0.2.2" },
        ipv6: null,
        dns: ["10.0.2.3"],
      },
      policy: policyOf(policy),
      forwards: [],
      swap: { providers: [], configFile: null, caFiles: [] },
      ...change,
    },
  };
}

/** Runs `program` as the command of a dispatch with these attachments. */
async function run(
  attach: AttachmentRequest,
  program: (run: ProgramRun) => Promise<number>,
  more: {
    readonly guest?: GuestScript;
    readonly outputDir?: string | null;
    readonly onProgress?: ProgressListener;
  } = {},
): Promise<DispatchResult> {
  const { engine } = await memoryEngine(dir, {
    guest: () => ({ ...more.guest, programs: { body: program } }),
  });
  const request = someDispatch(dir, {
    command: { kind: "argv", argv: ["body"] },
    outputDir: more.outputDir ?? null,
    timeoutMs: 20_000,
  });
  return await dispatch(
    engine,
    { ...request, boot: { ...request.boot, attach, bounds: ampleBounds } },
    { onProgress: more.onProgress },
  );
}

async function withHttpServer(work: (port: number) => Promise<void>): Promise<void> {
  const server = createServer((_request, response) => response.end("the index"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    await work((server.address() as { port: number }).port);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const standInFor = (port: number) => ({
  hostMap: new Map([["pkg.test", { address: "127.0.0.1", port }]]),
});

test("under guarded, setup's and the command's connections are carried, counted and written down", () =>
  withHttpServer(async (port) => {
    const result = await run(
      networkWith(standInFor(port)),
      async (body) => {
        const address = await lookup(body, "pkg.test");
        await body.stdout(await get(body, address, 80, "pkg.test"));
        await body.stderr(await get(body, "127.0.0.1", port, "127.0.0.1"));
        return 0;
      },
      { outputDir: join(dir, "out") },
    );
    expect(result.termination).toEqual({ kind: "exited", exitCode: 0 });
    expect(result.stdout.text()).toContain("the index");
    expect(result.stderr.text()).toBe("denied");
    const { audit } = resultJson(result) as { audit: Record<string, unknown> };
    expect(audit).toMatchObject({
      allow_by_host: { "pkg.test": 1 },
      deny_by_host: { [`127.0.0.1:${port}`]: 1 },
      integrity: "complete",
    });
    const lines = (await readFile(join(dir, "out", "egress.jsonl"), "utf8")).trim().split("\n");
    const events = lines.map((line) => (JSON.parse(line) as { event: string }).event);
    expect(events).toEqual(expect.arrayContaining(["egress_dns_allow", "egress_allow"]));
    expect(events).toContain("egress_loop_guard");
  }));

test("under strict, a name is refused until it is listed", () =>
  withHttpServer(async (port) => {
    const body = async (program: ProgramRun) => {
      const address = await lookup(program, "pkg.test");
      await program.stdout(address);
      if (!address.startsWith("rcode")) {
        await program.stdout(await get(program, address, 80, "pkg.test"));
      }
      return 0;
    };
    const refused = await run(networkWith({ mode: "strict", ...standInFor(port) }), body);
    expect(refused.stdout.text()).toBe("rcode 5");
    expect(refused.audit?.deny_by_host).toEqual({ "pkg.test": 1 });
    const allow = rules("pkg.test");
    const listed = await run(networkWith({ mode: "strict", allow, ...standInFor(port) }), body);
    expect(listed.stdout.text()).toContain("the index");
    expect(listed.audit?.deny_by_host).toEqual({});
  }));

test("an isolated guest has nobody to call, and an empty audit", async () => {
  const result = await run(nothingAttached, async (body) => {
    const call = body.call({ op: "tcp", dst: "192.0.2.1", port: 80, src_port: 1 });
    await body.stdout(await call.then(() => "answered").catch(() => "reset"));
    return 0;
  });
  expect(result.stdout.text()).toBe("reset");
  expect(resultJson(result)).toMatchObject({
    network: { mode: "isolated", egress: null, forwards: [] },
    audit: { decision_count: 0, integrity: "complete" },
  });
});

test("an audit that was damaged is told, and is no clean receipt", async () => {
  const result = await run(
    networkWith(),
    async (body) => {
      await get(body, "127.0.0.1", 9, "localhost");
      const { engine } = await memoryEngine(dir, {});
      const { readdir, writeFile } = await import("node:fs/promises");
      const [name = ""] = await readdir(engine.layout.runtime);
      await writeFile(join(engine.layout.runtime, name, "egress.jsonl"), "not a line\n");
      return 0;
    },
    { outputDir: join(dir, "out") },
  );
  expect(result.audit?.integrity).toMatchObject({
    problem: expect.stringContaining("no audit line"),
  });
});

test("a published port reaches the guest, half-close and all, and the result names it", async () => {
  const echo: GuestScript = {
    services: {
      8080: async (connection) => {
        const parts: Uint8Array[] = [];
        for (let part = await connection.read(); part !== null; part = await connection.read()) {
          parts.push(part);
        }
        await connection.write(`heard ${Buffer.concat(parts)}`);
        connection.end();
      },
    },
  };
  let answer = "";
  let hostPort = 0;
  const { engine } = await memoryEngine(dir, {
    guest: () => ({
      ...echo,
      programs: {
        body: async () => {
          const socket = connect({ port: hostPort, host: "127.0.0.1", allowHalfOpen: true });
          socket.end("hello");
          for await (const part of socket) answer += String(part);
          return 0;
        },
      },
    }),
  });
  const forwards = [{ host: "127.0.0.1", hostPort: 0, guestPort: 8080 }];
  const request = someDispatch(dir, {
    command: { kind: "argv", argv: ["body"] },
    timeoutMs: 20_000,
  });
  const attach = networkWith({}, { forwards });
  const result = await dispatch(
    engine,
    { ...request, boot: { ...request.boot, attach } },
    {
      onProgress: (event) => {
        const port =
          event.kind === "note" ? /127\.0\.0\.1:(\d+)$/.exec(event.text)?.[1] : undefined;
        if (port !== undefined) hostPort = Number(port);
      },
    },
  );
  expect(answer).toBe("heard hello");
  expect(resultJson(result)).toMatchObject({
    network: {
      mode: "user",
      egress: "guarded",
      forwards: [{ protocol: "tcp", host: "127.0.0.1", hostPort, guestPort: 8080 }],
    },
  });
});

test("a required channel without its target ends the run before a machine is started", async () => {
  const { engine, supervisor } = await memoryEngine(dir, {});
  const request = someDispatch(dir);
  // Port 1 of loopback: nothing of ours listens there.
  const mediation = { port: 2048, target: "127.0.0.1:1", required: true };
  const attach = { ...nothingAttached, mediation };
  const result = await dispatch(engine, { ...request, boot: { ...request.boot, attach } });
  expect(result.termination).toMatchObject({
    kind: "failed",
    error: { code: "mediation_unavailable" },
  });
  expect(supervisor.control.startedCount).toBe(0);
});

test("what the user sets wins over what the attachments set, and setup has both", async () => {
  const { engine } = await memoryEngine(dir, {});
  const mediation = { port: 2048, target: "127.0.0.1:1", required: false };
  const attach = { ...nothingAttached, mediation };
  const request = someDispatch(dir, {
    setup: ["env"],
    command: { kind: "argv", argv: ["env"] },
    env: { OWN: "yes" },
  });
  const phases: string[] = [];
  const result = await dispatch(
    engine,
    { ...request, boot: { ...request.boot, attach } },
    { onOutput: (phase, _stream, data) => void phases.push(`${phase} ${Buffer.from(data)}`) },
  );
  expect(result.stdout.text()).toContain("MICROAGENT_MEDIATION_ADDR=127.0.0.1:2048\n");
  expect(result.stdout.text()).toContain("OWN=yes\n");
  expect(phases.some((text) => /^setup .*MEDIATION_ADDR/.test(text))).toBe(true);
  const own = { ...request, env: { MICROAGENT_MEDIATION_ADDR: "mine" } };
  const again = await dispatch(engine, { ...own, boot: { ...own.boot, attach } });
  expect(again.stdout.text()).toContain("MICROAGENT_MEDIATION_ADDR=mine\n");
});

test("the log of a running guest can be followed, that of a kept one read, its network too", async () => {
  const followed: string[] = [];
  let following: Promise<void> = Promise.resolve();
  const { engine } = await memoryEngine(dir, {
    guest: () => ({
      programs: {
        body: async (run) => {
          await get(run, "10.1.1.1", 80, "first");
          let sawFirst = () => {};
          const first = new Promise<void>((resolve) => {
            sawFirst = resolve;
          });
          following = withOp("follow", { timeoutMs: 60_000 }, async (op) => {
            for await (const { event, dst } of followEgress(op, engine.layout, "sim")) {
              followed.push(`${event} ${dst}`);
              if (dst === "10.1.1.1:80") sawFirst();
            }
          });
          await first;
          await get(run, "10.2.2.2", 80, "second");
          expect(await networkOf(engine.layout, "sim")).toMatchObject({
            mode: "user",
            runtime: { interface: "eth0", ipv4: { address: "10.0.2.15/24" } },
          });
          return 0;
        },
      },
    }),
  });
  const request = someDispatch(dir, {
    command: { kind: "argv", argv: ["body"] },
    timeoutMs: 30_000,
    keep: true,
  });
  const bounds = { pullMs: 5_000, bootMs: 20_000 };
  const boot = { ...request.boot, attach: networkWith(), bounds };
  const result = await dispatch(engine, { ...request, boot });
  await following;
  expect(result.termination).toEqual({ kind: "exited", exitCode: 0 });
  const denied = ["egress_internal_deny 10.1.1.1:80", "egress_internal_deny 10.2.2.2:80"];
  expect(followed.filter((line) => line.includes("deny"))).toEqual(denied);
  const { events, integrity } = await egressOf(engine.layout, "sim");
  expect(integrity).toBe("complete");
  expect(events.map(({ event, dst }) => `${event} ${dst}`)).toEqual(expect.arrayContaining(denied));
  expect(await networkOf(engine.layout, "sim")).toMatchObject({ egress: "guarded" });
});

test("a swap puts its authority where the guest looks, and a placeholder where the key would be", async () => {
  const swap = { providers: ["anthropic=env:UNSET_HERE"], configFile: null, caFiles: [] };
  const seen: Record<string, string | undefined> = {};
  const warnings: string[] = [];
  const result = await run(
    networkWith({}, { swap }),
    async (body) => {
      const { env, files } = body;
      seen.key = env.get("ANTHROPIC_API_KEY");
      seen.ca = files.read("/etc/microagent/egress-ca.pem")?.toString();
      seen.bundle = files.read(env.get("SSL_CERT_FILE") ?? "")?.toString();
      seen.own = files.read("/etc/ssl/certs/ca-certificates.crt")?.toString();
      return 0;
    },
    {
      guest: {
        files: { "/etc/ssl/certs/ca-certificates.crt": "# the image's roots\n" },
        programs: {},
      },
      onProgress: (event) => {
        if (event.kind === "warning") warnings.push(event.text);
      },
    },
  );
  expect(warnings).toEqual([
    'The key of "anthropic" is not there: environment variable "UNSET_HERE" is not set, so its requests will be refused',
  ]);
  expect(result.termination).toEqual({ kind: "exited", exitCode: 0 });
  expect(seen.key).toBe("microagent-placeholder-key");
  expect(seen.ca).toContain("BEGIN CERTIFICATE");
  for (const text of [seen.bundle, seen.own]) {
    expect(text).toContain("# the image's roots");
    expect(text).toContain(seen.ca?.trim());
  }
});

test("a literal key in a swap's place ends the run before a machine, and is not repeated", async () => {
  const { engine, supervisor } = await memoryEngine(dir, {});
  const request = someDispatch(dir);
  const swap = { providers: ["anthropic=sk-literal-123"], configFile: null, caFiles: [] };
  const attach = networkWith({}, { swap });
  const result = await dispatch(engine, { ...request, boot: { ...request.boot, attach } });
  expect(result.termination).toMatchObject({ kind: "failed" });
  expect(JSON.stringify(resultJson(result))).not.toContain("sk-literal");
  expect(supervisor.control.startedCount).toBe(0);
});
