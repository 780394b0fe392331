import type { Duplex } from "node:stream";
import { z } from "zod";
import type { MicroagentError } from "../base/errors.ts";
import { randomHex } from "../base/ids.ts";
import type { Op } from "../base/op.ts";
import { type GuestHello, hostHandshake } from "../channel/handshake.ts";
import { printable } from "../channel/printable.ts";
import { Session } from "../channel/session.ts";
import type { ChannelStream } from "../channel/stream.ts";
import {
  type Configuration,
  type ConfigureReport,
  configureReply,
  encodeConfiguration,
} from "./configuration.ts";
import { ask, encodeRequest, exchange, plainReply } from "./exchange.ts";
import type { ExecRequest, Execution } from "./exec.ts";
import { type GetOptions, getTree } from "./get.ts";
import { GuestCallServer } from "./guest-call-server.ts";
import type { GuestCalls } from "./guest-calls.ts";
import { startExecution } from "./guest-execution.ts";
import { type PutOptions, putTree } from "./put.ts";
import { encodeRenewal, type Renewal } from "./renewal.ts";
import { type RunOptions, type RunResult, runToEnd } from "./run.ts";
import type { TransferSummary, TreeEntry, TreeItem } from "./tree.ts";
import { parseTreeEntry } from "./tree-entry.ts";
import { TreeReader } from "./tree-reader.ts";
import {
  type Disturbance,
  encodeDisturbance,
  type GuestWatch,
  type WatchAnswer,
} from "./watching.ts";

export interface ConnectOptions {
  /** Who answers the streams the guest opens; without it every one is reset. */
  readonly calls?: GuestCalls | undefined;
  /**
   * For a machine that was started from a saved one: asks it in the same write to become another, because a round trip
   * takes it long. Fails as `resume` does.
   */
  readonly renewal?: Renewal | undefined;
}

/** Where secrets go in the guest. */
export interface SecretsPlace {
  /** Who owns them, as in `ExecRequest`. */
  readonly user: string;
  /** 0 makes no file system for files. */
  readonly sizeBytes: number;
  /** A socket of the agent's that becomes the user's too. */
  readonly socket: string | null;
}

const account = z.number().int().min(0).max(0xffff_fffe);
const ownerReply = z.object({ uid: account, gid: account });
const entryReply = z.object({ entry: z.unknown() });
const watchReply = z.object({ met: z.boolean(), seen: z.string() });
const readdirEntriesMax = 10_000;
/** What the guest takes; longer waits are for whoever asks again. */
const watchMsMax = 24 * 3_600_000;

/**
 * The guest agent as the host sees it: one call is one stream. Every call fails with the reason the
 * channel ended (`channel_closed`, `protocol_violation`, `closed`), or `guest_refused` when the
 * agent could not do what was asked.
 */
export class Agent {
  readonly hello: GuestHello;
  /** Resolves once, never rejects: why the channel ended. */
  readonly closed: Promise<MicroagentError>;
  readonly #session: Session;

  private constructor(session: Session, hello: GuestHello) {
    this.#session = session;
    this.hello = hello;
    this.closed = session.closed;
  }

  /** Handshake and session over a fresh link, which the agent owns from now on. */
  static async connect(op: Op, link: Duplex, options: ConnectOptions = {}): Promise<Agent> {
    try {
      const { calls, renewal } = options;
      const server = calls === undefined ? null : new GuestCallServer(calls, op.clock);
      const session = new Session(link, "client", {
        onStream: server?.onStream,
        listensLater: true,
      });
      if (server !== null) session.closed.then((reason) => server.close(reason));
      let renewed: Promise<unknown> = Promise.resolve();
      const hello = await hostHandshake(op, link, randomHex(16), () => {
        if (renewal === undefined) return;
        renewed = ask(op, session, encodeRenewal(renewal), plainReply, renewing);
        renewed.catch(() => {});
      });
      session.listen();
      await renewed;
      return new Agent(session, hello);
    } catch (error) {
      link.destroy();
      throw error;
    }
  }

  /** Prepares the guest, once per boot, before anything but `ping` and `powerOff`. */
  async configure(op: Op, configuration: Configuration): Promise<ConfigureReport> {
    return await this.#ask(op, encodeConfiguration(configuration), configureReply, "be configured");
  }

  /** Resolves when the agent has answered. */
  async ping(op: Op): Promise<void> {
    await this.#ask(op, { op: "ping" }, plainReply, "answer a ping");
  }

  /** Resolves when the command has started; `exec_not_started` when it could not. */
  async exec(op: Op, request: ExecRequest): Promise<Execution> {
    return await startExecution(op, this.#session, request);
  }

  /** Runs a command to its end and keeps the beginning of its output; killed when `op` ends. */
  async run(op: Op, request: ExecRequest, options: RunOptions = {}): Promise<RunResult> {
    return await runToEnd(op, (started) => this.exec(op, started), request, options);
  }

  /** Writes a tree at a guest path. */
  async put(
    op: Op,
    path: string,
    tree: AsyncIterable<TreeItem>,
    options: PutOptions = {},
  ): Promise<TransferSummary> {
    return await putTree(op, this.#session, path, tree, options);
  }

  /**
   * Reads a tree from a guest path under `op`, within caps that default to those of outputs.
   * `guest_file_not_found` when there is no such path. Iterate it to the end or leave it.
   */
  async get(op: Op, path: string, options: GetOptions = {}): Promise<TreeReader> {
    return await getTree(op, this.#session, path, options);
  }

  /** What is at a guest path; `guest_file_not_found` when nothing is. Links are followed by default. */
  async stat(
    op: Op,
    path: string,
    options: { readonly follow?: boolean } = {},
  ): Promise<TreeEntry> {
    const request = { op: "stat", path, follow: options.follow ?? true };
    const reply = await this.#ask(op, request, entryReply, `stat "${path}"`);
    const entry = parseTreeEntry(reply.entry);
    if (entry === null) throw this.#session.violate("The guest answered stat without an entry");
    return entry;
  }

  /** The entries of a guest directory in byte order of their names, at most 10 000. */
  async readdir(op: Op, path: string): Promise<TreeEntry[]> {
    const request = { op: "readdir", path, limit: readdirEntriesMax };
    const { stream, reader } = await exchange(
      op,
      this.#session,
      request,
      plainReply,
      `list "${path}"`,
    );
    const caps = { entriesMax: readdirEntriesMax, bytesMax: 0 };
    const entries: TreeEntry[] = [];
    for await (const item of new TreeReader(op, stream, reader, caps, "listing")) {
      if (item.kind === "entry") entries.push(item.entry);
    }
    return entries;
  }

  /**
   * Connects to a TCP port of the guest, its loopback addresses first. `guest_refused` when nothing
   * listens (`details.guestCode` is `refused`). Whoever gets the stream ends it.
   */
  async connectPort(op: Op, port: number): Promise<ChannelStream> {
    const request = { op: "connect", port };
    const action = `connect to port ${port}`;
    const { stream, reader } = await exchange(op, this.#session, request, plainReply, action);
    reader.release();
    return stream;
  }

  /**
   * Waits until the guest sees something, or until `timeoutMs` have passed there. Looking from inside costs a
   * fraction of asking again and again; ends with `op`.
   */
  async watch(op: Op, watch: GuestWatch, timeoutMs: number): Promise<WatchAnswer> {
    const timeout = Math.min(watchMsMax, Math.max(1, Math.round(timeoutMs)));
    const request = { op: "wait", ...watch, timeout_ms: timeout };
    const answer = await this.#ask(op, request, watchReply, `watch for a ${watch.for}`);
    return { met: answer.met, seen: printable(answer.seen, 500) };
  }

  /** Removes a path, links as links. `guest_file_not_found` when there is none. */
  async remove(op: Op, path: string, options: { readonly recursive: boolean }): Promise<void> {
    const request = { op: "remove", path, recursive: options.recursive };
    await this.#ask(op, request, plainReply, `remove "${path}"`);
  }

  /**
   * Paths below a directory, on its file system, that were changed after a time of the guest's clock: at most
   * 10 000, in byte order, directories with a final "/". What was removed shows in its directory.
   */
  async changes(op: Op, path: string, sinceUnixMs: number): Promise<readonly string[]> {
    const since = (BigInt(Math.floor(sinceUnixMs)) * 1_000_000n).toString();
    const request = { op: "changes", path, since_unix_ns: since, limit: readdirEntriesMax };
    const action = `tell what changed in "${path}"`;
    const { stream, reader } = await exchange(op, this.#session, request, plainReply, action);
    const caps = { entriesMax: readdirEntriesMax, bytesMax: 0 };
    const base = path.endsWith("/") ? path : `${path}/`;
    const paths: string[] = [];
    for await (const item of new TreeReader(op, stream, reader, caps, "paths")) {
      if (item.kind !== "entry") continue;
      paths.push(`${base}${item.entry.path}${item.entry.type === "dir" ? "/" : ""}`);
    }
    return paths.sort();
  }

  /** Makes something go wrong in the guest, or right again. */
  async disturb(op: Op, disturbance: Disturbance): Promise<void> {
    const action = `disturb its ${disturbance.what}`;
    await this.#ask(op, encodeDisturbance(disturbance), plainReply, action);
  }

  /**
   * Opens a stream with a request whose answer the caller reads himself, byte for byte: for whoever stands
   * between the guest and another program. Whoever gets the stream ends it.
   */
  async relay(op: Op, request: Readonly<Record<string, unknown>>): Promise<ChannelStream> {
    return await this.#session.open(op, encodeRequest(request, "pass a request on"));
  }

  /** Makes room for secrets and says who owns what is then `put` there. See docs/protocol.md. */
  async placeSecrets(op: Op, place: SecretsPlace): Promise<{ uid: number; gid: number }> {
    const { user, sizeBytes, socket } = place;
    const request = { op: "secrets", user, size_bytes: sizeBytes, ...(socket && { socket }) };
    return await this.#ask(op, request, ownerReply, "make room for secrets");
  }

  /** Overwrites the secrets in the guest, before its memory is saved. */
  async purgeSecrets(op: Op): Promise<void> {
    await this.#ask(op, { op: "purge_secrets" }, plainReply, "overwrite its secrets");
  }

  /** Makes the workload stand still and the disks complete, for being saved; ended by `resume`. */
  async quiesce(op: Op): Promise<void> {
    await this.#ask(op, { op: "quiesce" }, plainReply, "stand still");
  }

  /** Makes another machine of one that was saved, and lets its workload go on. */
  async resume(op: Op, renewal: Renewal): Promise<void> {
    await this.#ask(op, encodeRenewal(renewal), plainReply, renewing);
  }

  /** Asks for an orderly power-off; resolves when the agent agreed, before the machine is gone. */
  async powerOff(op: Op, graceMs: number): Promise<void> {
    await this.#ask(op, { op: "poweroff", grace_ms: graceMs }, plainReply, "power off");
  }

  /** Ends the channel; pending calls fail with `closed`. May be called again. */
  close(reason?: MicroagentError): void {
    this.#session.close(reason);
  }

  /** A request whose reply is all there is. */
  async #ask<Reply>(
    op: Op,
    request: Readonly<Record<string, unknown>>,
    schema: z.ZodType<Reply>,
    action: string,
  ): Promise<Reply> {
    return await ask(op, this.#session, request, schema, action);
  }
}

const renewing = "become another machine";
