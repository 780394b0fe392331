import type { Duplex } from "node:stream";
import { z } from "zod";
import { MessageReader } from "../../agent/message-reader.ts";
import { MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { type Clock, type Op, startOp, withOp } from "../../base/op.ts";
import { type GuestHello, guestHandshake } from "../../channel/handshake.ts";
import { Session } from "../../channel/session.ts";
import type { ChannelStream } from "../../channel/stream.ts";
import { splice } from "./splice.ts";
import { encodeError } from "./wire-error.ts";

/** What a control server serves: a guest, and the verbs of the process that holds it. */
export interface ControlHost {
  readonly hello: Omit<GuestHello, "session">;
  /** Null when the guest can be asked, else what it is that keeps it from answering. */
  readonly unable: string | null;
  /** Completes the request of a command that a client has left open in places. */
  complete(request: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>;
  /** A stream of the guest's agent, the request sent. */
  relay(op: Op, request: Readonly<Record<string, unknown>>): Promise<ChannelStream>;
  /** Somebody uses the guest until the returned function is called. */
  begin(): () => void;
  /** One of the verbs; the reply's fields. */
  control(op: Op, verb: ControlVerb): Promise<Readonly<Record<string, unknown>>>;
}

/** What a client may ask of the process that holds a workspace. */
export type ControlVerb = z.infer<typeof verbSchema>;

const reason = z.string().max(1024).nullable();
const verbSchema = z.discriminatedUnion("op", [
  z.object({ op: z.literal("hold.pause") }),
  z.object({ op: z.literal("hold.resume") }),
  z.object({ op: z.literal("hold.snapshot"), tag: z.string().max(255) }),
  z.object({ op: z.literal("hold.halt"), reason, within_ms: z.number().int().positive() }),
  z.object({ op: z.literal("hold.kill"), reason }),
]);

/** Operations of the guest's agent that clients may use; the others are the holder's own. */
const relayed: readonly unknown[] = [
  "ping",
  "exec",
  "put",
  "get",
  "stat",
  "readdir",
  "connect",
  "wait",
  "remove",
  "disturb",
];
const shaped = z.record(z.string(), z.unknown());

/**
 * Serves one workspace to any number of clients: each connection is a session as the guest's agent has it, and what
 * is meant for the guest is passed on as it is, with its flow control. docs/protocol.md has the verbs that are ours.
 */
export class ControlServer {
  readonly #host: ControlHost;
  readonly #clock: Clock;
  readonly #ending = new AbortController();
  readonly #sessions = new Set<Session>();
  #connections = 0;

  constructor(host: ControlHost, clock: Clock) {
    this.#host = host;
    this.#clock = clock;
  }

  /** Takes a connection over. */
  readonly take = (socket: Duplex): void => {
    socket.on("error", () => {});
    if (this.#ending.signal.aborted || this.#connections >= limits.held.connectionsMax) {
      socket.destroy();
      return;
    }
    this.#connections += 1;
    socket.once("close", () => {
      this.#connections -= 1;
    });
    this.#greet(socket).catch(() => socket.destroy());
  };

  /** Ends every connection. */
  close(why: MicroagentError): void {
    this.#ending.abort(why);
    for (const session of this.#sessions) session.close(why);
  }

  async #greet(socket: Duplex): Promise<void> {
    const bounds = { timeoutMs: limits.held.firstLineMs, signal: this.#ending.signal };
    await withOp("hello", { ...bounds, clock: this.#clock }, (op) =>
      guestHandshake(op, socket, () => this.#host.hello),
    );
    const session: Session = new Session(socket, "server", {
      onStream: (stream) => void this.#serve(session, stream),
    });
    this.#sessions.add(session);
    void session.closed.then(() => this.#sessions.delete(session));
  }

  async #serve(session: Session, stream: ChannelStream): Promise<void> {
    const { op, end } = startOp("control", { signal: this.#ending.signal, clock: this.#clock });
    try {
      const reader = new MessageReader(session, stream);
      const line = await op.step("request", (step) => reader.line(step), {
        timeoutMs: limits.held.firstLineMs,
      });
      reader.release();
      const used = this.#host.begin();
      try {
        await this.#answer(op, stream, line);
      } finally {
        used();
      }
    } catch {
      stream.reset();
    } finally {
      end();
    }
  }

  async #answer(op: Op, stream: ChannelStream, line: unknown): Promise<void> {
    const request = shaped.safeParse(line).data ?? {};
    if (relayed.includes(request.op)) {
      const { unable } = this.#host;
      if (unable !== null) {
        return await reply(op, stream, { ok: false, code: "unable", message: unable });
      }
      const whole = request.op === "exec" ? this.#host.complete(request) : request;
      return await splice(op, stream, await this.#host.relay(op, whole));
    }
    const verb = verbSchema.safeParse(request);
    if (!verb.success) {
      const unknown = new MicroagentError("invalid_argument", "The workspace has no such verb");
      return await reply(op, stream, { ok: false, error: encodeError(unknown) });
    }
    await this.#control(op, stream, verb.data);
  }

  async #control(op: Op, stream: ChannelStream, verb: ControlVerb): Promise<void> {
    let answer: Record<string, unknown>;
    try {
      answer = { ok: true, ...(await this.#host.control(op, verb)) };
    } catch (error) {
      answer = { ok: false, error: encodeError(error) };
    }
    await reply(op, stream, answer);
  }
}

async function reply(op: Op, stream: ChannelStream, value: unknown): Promise<void> {
  await stream.write(op, Buffer.from(`${JSON.stringify(value)}\n`));
  stream.end();
}
