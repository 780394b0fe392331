import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { duplexPair } from "node:stream";
import { GuestCallServer } from "../../../src/agent/guest-call-server.ts";
import type { MicroagentError } from "../../../src/base/errors.ts";
import { type Clock, type Op, realClock } from "../../../src/base/op.ts";
import { Session } from "../../../src/channel/session.ts";
import type { ChannelStream } from "../../../src/channel/stream.ts";
import { parseAddress } from "../../../src/egress/address.ts";
import type { AuditRecord } from "../../../src/egress/audit-event.ts";
import { openAuditLog, readAuditLog } from "../../../src/egress/audit-log.ts";
import { dnsType } from "../../../src/egress/dns-message.ts";
import { addressRecord } from "../../../src/egress/dns-records.ts";
import { openEgress } from "../../../src/egress/egress.ts";
import type { Interceptor } from "../../../src/egress/interceptor.ts";
import type { EgressPolicy } from "../../../src/egress/policy.ts";
import type { NameResolver, Resolution } from "../../../src/egress/resolver.ts";
import { policyOf } from "../../support/egress-policy.ts";
import { inTime } from "../channel/sessions.ts";

export const identity = { runtimeId: "ws-test", sessionId: "s1" };

export interface Network {
  readonly op: Op;
  readonly guest: Session;
  readonly host: Session;
  /** Names asked of the resolver behind the gate. */
  readonly asked: string[];
  /** Opens a TCP stream as the agent would; the answer is read. */
  tcp(dst: string, port: number): Promise<Connection>;
  udp(dst: string, port: number): Promise<Connection>;
  /** Opens a stream with any line, and whatever else at once. */
  open(line: string): Promise<Connection>;
  /** One question over UDP; the raw answer. */
  dns(name: string, type?: number, server?: string): Promise<Buffer>;
  /** The addresses the guest's resolver gives for a name. */
  lookUp(name: string): Promise<string[]>;
  close(): Promise<void>;
  /** The channel broke. */
  lost(reason: MicroagentError): void;
  /** Closes the gate and reads its audit. */
  events(): Promise<readonly AuditRecord[]>;
}

export interface Connection {
  readonly answer: { readonly ok: boolean; readonly code?: string; readonly message?: string };
  readonly stream: ChannelStream;
  read(): Promise<string>;
  readAll(): Promise<string>;
  write(text: string | Uint8Array): Promise<void>;
}

export interface NetworkOptions {
  readonly policy?: Partial<EgressPolicy>;
  /** What the resolver answers; names that are not here do not exist. */
  readonly names?: Readonly<Record<string, readonly string[]>>;
  readonly resolver?: NameResolver;
  readonly interceptor?: Interceptor;
  /** The gate's; the channel and the test keep the real one. */
  readonly clock?: Clock;
  readonly guestName?: string;
}

/** A guest without a machine: its end of a channel, and a real gate on the other end. */
export async function withNetwork(
  options: NetworkOptions,
  work: (network: Network) => Promise<void>,
): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "microagent-egress-"));
  const path = join(dir, "egress.jsonl");
  const audit = openAuditLog(path, { identity });
  const asked: string[] = [];
  const egress = openEgress({
    policy: policyOf(options.policy ?? {}),
    audit,
    interceptor: options.interceptor ?? null,
    identity,
    clock: options.clock,
    guestName: options.guestName,
    resolver: options.resolver ?? scriptedResolver(options.names ?? {}, asked),
  });
  const [hostLink, guestLink] = duplexPair();
  for (const link of [hostLink, guestLink]) link.on("error", () => {});
  const server = new GuestCallServer(egress.calls, realClock);
  const host = new Session(hostLink, "client", { onStream: server.onStream });
  host.closed.then((reason) => server.close(reason));
  const guest = new Session(guestLink, "server");
  const close = async () => {
    await egress.close();
    await audit.close();
  };
  try {
    await inTime(async (op) => {
      const open = (line: string) => connect(op, guest, line);
      const dns = (name: string, type: number = dnsType.a, dst = "10.0.2.3") =>
        question(op, guest, name, type, dst);
      await work({
        op,
        guest,
        host,
        asked,
        open,
        dns,
        tcp: (dst, port) => open(`${JSON.stringify({ op: "tcp", dst, port, src_port: 4000 })}\n`),
        udp: (dst, port) => open(`${JSON.stringify({ op: "udp", dst, port, src_port: 4000 })}\n`),
        lookUp: async (name) => addressesOf(await dns(name)),
        close,
        lost: (reason) => egress.lost(reason),
        async events() {
          await close();
          return (await readAuditLog(path)).events;
        },
      });
    });
  } finally {
    guest.close();
    host.close();
    await close();
    await rm(dir, { recursive: true, force: true });
  }
}

function scriptedResolver(
  names: Readonly<Record<string, readonly string[]>>,
  asked: string[],
): NameResolver {
  return {
    resolve: async (_op, name, type): Promise<Resolution> => {
      asked.push(name);
      const found = names[name];
      if (found === undefined) return { kind: "no-name" };
      const records = found.flatMap((text) => {
        const address = parseAddress(text);
        return address === null ? [] : [addressRecord(address, 60)];
      });
      const matching = records.filter((record) => record.type === type);
      return matching.length === 0 ? { kind: "no-data" } : { kind: "records", records: matching };
    },
    close: () => {},
  };
}

async function connect(op: Op, guest: Session, line: string): Promise<Connection> {
  const stream = await guest.open(op, Buffer.from(line));
  let text = "";
  while (!text.includes("\n")) {
    const piece = await stream.read(op);
    if (piece === null) break;
    text += Buffer.from(piece).toString("latin1");
  }
  const end = text.indexOf("\n") + 1;
  stream.unread(Buffer.from(text.slice(end), "latin1"));
  const read = async () => Buffer.from((await stream.read(op)) ?? []).toString("latin1");
  return {
    answer: JSON.parse(text.slice(0, end)),
    stream,
    read,
    async readAll() {
      let all = "";
      for (let part = await read(); part !== ""; part = await read()) all += part;
      return all;
    },
    write: async (bytes) =>
      stream.write(op, typeof bytes === "string" ? Buffer.from(bytes) : bytes),
  };
}

/** A query as a stub resolver writes it. */
export function query(name: string, type: number, id = 7): Buffer {
  const labels = name
    .split(".")
    .flatMap((label) => [Buffer.from([label.length]), Buffer.from(label, "latin1")]);
  const head = Buffer.from([id >> 8, id & 0xff, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([head, ...labels, Buffer.from([0, type >> 8, type & 0xff, 0, 1])]);
}

async function question(op: Op, guest: Session, name: string, type: number, dst: string) {
  const line = `${JSON.stringify({ op: "dns", dst, transport: "udp" })}\n`;
  const message = query(name, type);
  const framed = Buffer.concat([
    Buffer.from([message.length >> 8, message.length & 0xff]),
    message,
  ]);
  const { stream } = await connect(op, guest, line);
  await stream.write(op, framed);
  const parts: Uint8Array[] = [];
  for (;;) {
    const piece = await stream.read(op);
    if (piece === null) break;
    parts.push(piece);
    const all = Buffer.concat(parts);
    if (all.length >= 2 && all.length >= 2 + all.readUInt16BE(0)) break;
  }
  stream.finish();
  return Buffer.concat(parts).subarray(2);
}

/** The low four bits of the flags. */
export function codeOf(answer: Buffer): number {
  return answer.readUInt16BE(2) & 0xf;
}

/** Addresses of an answer whose records point to the question. */
export function addressesOf(answer: Buffer): string[] {
  let at = 12;
  while (answer[at] !== 0) at += (answer[at] ?? 0) + 1;
  at += 5;
  const found: string[] = [];
  for (let left = answer.readUInt16BE(6); left > 0; left--) {
    const length = answer.readUInt16BE(at + 10);
    found.push(answer.subarray(at + 12, at + 12 + length).join("."));
    at += 12 + length;
  }
  return found;
}

/** A server on loopback, and what to map a name to. */
export async function withServer(
  onConnection: (socket: Socket) => void,
  work: (port: number) => Promise<void>,
): Promise<void> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    onConnection(socket);
  });
  const port = await listen(server);
  try {
    await work(port);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

export function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
}

/** A map of names to ports of loopback. */
export function mapped(names: Readonly<Record<string, number>>): EgressPolicy["hostMap"] {
  return new Map(
    Object.entries(names).map(([name, port]) => [name, { address: "127.0.0.1", port }]),
  );
}
