import { duplexPair } from "node:stream";
import { expect, test } from "vitest";
import { Agent } from "../../../src/agent/agent.ts";
import type { Configuration } from "../../../src/agent/configuration.ts";
import type { Op } from "../../../src/base/op.ts";
import { guestHandshake } from "../../../src/channel/handshake.ts";
import { Session } from "../../../src/channel/session.ts";
import type { ChannelStream } from "../../../src/channel/stream.ts";
import { goldenBytes } from "../../support/golden-bytes.ts";
import { inTime } from "../channel/sessions.ts";
import { itemsOf } from "./guests.ts";

/** Lines that the guest's tests read: the guest understands exactly these. */
const { valid: vectors } = goldenBytes("requests.json") as {
  readonly valid: readonly { readonly name: string; readonly line: string }[];
};

/** What the host sends for `ask`, from a guest that answers nothing. */
async function sent(ask: (op: Op, agent: Agent) => Promise<unknown>): Promise<unknown> {
  const [hostLink, guestLink] = duplexPair();
  for (const link of [hostLink, guestLink]) link.on("error", () => {});
  return await inTime(async (op) => {
    const shaken = guestHandshake(op, guestLink, () => ({
      agent: "0",
      kernel: "0",
      arch: "x86_64",
      uptimeMs: 0,
    }));
    const connecting = Agent.connect(op, hostLink);
    await shaken;
    const first = new Promise<ChannelStream>((resolve) => {
      new Session(guestLink, "server", { onStream: resolve });
    });
    const agent = await connecting;
    const asked = ask(op, agent).catch(() => {});
    const stream = await first;
    let text = "";
    while (!text.includes("\n")) text += Buffer.from((await stream.read(op)) ?? "\n").toString();
    agent.close();
    await asked;
    return JSON.parse(text.slice(0, text.indexOf("\n")));
  });
}

/** What our types cannot say: nanoseconds, limits of our own, and fields from the future. */
const ours: Readonly<Record<string, readonly string[]>> = {
  configure: ["time_unix_ns"],
  resume: ["time_unix_ns"],
  readdir: ["limit"],
  exec: ["later"],
};

function comparable(value: unknown): Record<string, unknown> {
  const request = { ...(value as Record<string, unknown>) };
  for (const field of ours[String(request.op)] ?? []) delete request[field];
  return request;
}

const entropy = Uint8Array.from({ length: 32 }, (_, index) => index);
const configuration: Configuration = {
  timeUnixMs: 1_700_000_000_000,
  entropy,
  hostname: "research",
  hosts: [{ ip: "127.0.1.1", names: ["research", "r"] }],
  root: {
    base: { device: "/dev/vda", fstype: "erofs" },
    upper: { device: "/dev/vdb", fstype: "ext4" },
  },
  mounts: [{ device: "/dev/vdc", mountpoint: "/data", fstype: "ext4", readOnly: true }],
  pidsMax: 16384,
  memoryReserveBytes: 33554432,
  timezone: "UTC",
};
const clone = { ...configuration, hostname: "clone-7" };

const asks: readonly [string, (op: Op, agent: Agent) => Promise<unknown>][] = [
  ["ping", (op, agent) => agent.ping(op)],
  ["configure with disks", (op, agent) => agent.configure(op, configuration)],
  [
    "exec, everything",
    (op, agent) =>
      agent.exec(op, {
        argv: ["python3", "-c", "print('é\n')", ""],
        env: ["PATH=/usr/bin", "EMPTY="],
        cwd: "/work",
        user: "1000:1000",
        stdin: true,
        tty: { rows: 24, cols: 80 },
        timeoutMs: 300_000,
      }),
  ],
  [
    "put",
    (op, agent) => agent.put(op, "/app", itemsOf(), { parents: true, owner: { uid: 0, gid: 5 } }),
  ],
  ["get", (op, agent) => agent.get(op, "/out", { maxEntries: 5, maxBytes: 0 })],
  [
    "get with a bound on names",
    (op, agent) => agent.get(op, "/out", { maxEntries: 5, maxBytes: 0, maxNameBytes: 4096 }),
  ],
  [
    "get with a bound on records",
    (op, agent) => agent.get(op, "/out", { maxEntries: 5, maxBytes: 0, maxRecords: 0 }),
  ],
  ["stat", (op, agent) => agent.stat(op, "/etc/passwd")],
  ["readdir", (op, agent) => agent.readdir(op, "/etc")],
  ["poweroff", (op, agent) => agent.powerOff(op, 0)],
  ["quiesce", (op, agent) => agent.quiesce(op)],
  [
    "resume",
    (op, agent) => agent.resume(op, { ...clone, hosts: [{ ip: "127.0.1.1", names: ["clone-7"] }] }),
  ],
  ["connect", (op, agent) => agent.connectPort(op, 8080)],
  [
    "secrets, everything",
    (op, agent) =>
      agent.placeSecrets(op, {
        user: "1000:1000",
        sizeBytes: 65536,
        socket: "/run/secrets-api.sock",
      }),
  ],
  ["purge_secrets", (op, agent) => agent.purgeSecrets(op)],
  [
    "wait for a port",
    (op, agent) => agent.watch(op, { for: "port", port: 5432, present: true }, 10_000),
  ],
  [
    "wait for the end of a process",
    (op, agent) => agent.watch(op, { for: "process", name: "postgres", present: false }, 500),
  ],
  [
    "wait for a file to change",
    (op, agent) =>
      agent.watch(op, { for: "file", path: "/var/log/x", present: true, beyond: 12 }, 500),
  ],
  ["wait for what is left to send", (op, agent) => agent.watch(op, { for: "sent" }, 2_000)],
  ["changes", (op, agent) => agent.changes(op, "/etc", 1_700_000_000_000)],
  ["remove", (op, agent) => agent.remove(op, "/tmp/x", { recursive: true })],
  ["pull the cable", (op, agent) => agent.disturb(op, { what: "link", up: false })],
  ["fill a disk", (op, agent) => agent.disturb(op, { what: "disk", path: "/", freeBytes: 4096 })],
  ["take memory", (op, agent) => agent.disturb(op, { what: "memory", bytes: 1_048_576 })],
  [
    "turn the clock",
    (op, agent) => agent.disturb(op, { what: "clock", timeUnixMs: 1_700_000_000_000 }),
  ],
];

test.each(asks)("the host sends %s as the guest reads it", async (name, ask) => {
  const vector = vectors.find((each) => each.name === name);
  expect(comparable(await sent(ask))).toEqual(comparable(JSON.parse(vector?.line ?? "null")));
});

test("every operation of the vectors is sent by the host, or from the future", () => {
  const known = new Set(
    asks.map(([name]) => {
      const line = vectors.find((each) => each.name === name)?.line ?? "{}";
      return JSON.parse(line).op;
    }),
  );
  const others = vectors.map(({ line }) => JSON.parse(line).op).filter((op) => !known.has(op));
  expect(others).toEqual(["dance"]);
});
