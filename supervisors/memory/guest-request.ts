import { z } from "zod";
import type { MessageReader } from "../../src/agent/message-reader.ts";
import type { Op } from "../../src/base/op.ts";
import type { ChannelStream } from "../../src/channel/stream.ts";

const text = z.string();
const size = z.number().int().nonnegative();

/** The requests an in-memory guest understands, as on the wire. */
export const guestRequest = z.discriminatedUnion("op", [
  z.object({ op: z.literal("ping") }),
  z.object({
    op: z.literal("configure"),
    hostname: text,
    time_unix_ns: text,
    entropy: text,
    network: z.object({ dns: z.array(text).default([]) }).nullish(),
  }),
  z.object({ op: z.literal("quiesce") }),
  z.object({ op: z.literal("resume"), hostname: text, time_unix_ns: text, entropy: text }),
  z.object({ op: z.literal("connect"), port: z.number().int().min(1).max(65535) }),
  z.object({
    op: z.literal("exec"),
    argv: z.array(text).min(1),
    env: z.array(text).default([]),
    cwd: text.default("/"),
    user: text.default("root"),
    stdin: z.boolean().default(false),
    timeout_ms: size.default(0),
  }),
  z.object({
    op: z.literal("put"),
    path: text,
    parents: z.boolean().default(false),
    owner: z.object({ uid: size, gid: size }).optional(),
  }),
  z.object({
    op: z.literal("get"),
    path: text,
    max_entries: size,
    max_bytes: size,
    max_records: size.optional(),
  }),
  z.object({ op: z.literal("stat"), path: text, follow: z.boolean().default(true) }),
  z.object({ op: z.literal("readdir"), path: text, limit: size.default(10_000) }),
  z.object({ op: z.literal("secrets"), user: text.default("0"), size_bytes: size.default(0) }),
  z.object({ op: z.literal("purge_secrets") }),
  z.object({ op: z.literal("poweroff"), grace_ms: size.default(0) }),
]);
export type GuestRequest = z.infer<typeof guestRequest>;
export type RequestOf<Name extends GuestRequest["op"]> = Extract<GuestRequest, { op: Name }>;

/** One stream of the host's, its request read and not yet answered. */
export class GuestCall {
  readonly op: Op;
  readonly stream: ChannelStream;
  readonly reader: MessageReader;

  constructor(op: Op, stream: ChannelStream, reader: MessageReader) {
    this.op = op;
    this.stream = stream;
    this.reader = reader;
  }

  async reply(fields: Readonly<Record<string, unknown>> = {}): Promise<void> {
    await this.#line({ ok: true, ...fields });
  }

  async refuse(code: string, message: string, errno?: string): Promise<void> {
    await this.#line({ ok: false, code, message, ...(errno === undefined ? {} : { errno }) });
  }

  async #line(value: unknown): Promise<void> {
    await this.stream.write(this.op, Buffer.from(`${JSON.stringify(value)}\n`));
  }
}
