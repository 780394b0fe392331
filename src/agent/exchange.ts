import { z } from "zod";
import { MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Op } from "../base/op.ts";
import type { Session } from "../channel/session.ts";
import type { ChannelStream } from "../channel/stream.ts";
import { MessageReader } from "./message-reader.ts";
import { refusalOf } from "./refusal.ts";

/** A request that was answered with yes: the stream goes on with whatever the operation says. */
export interface Exchange<Reply> {
  readonly reply: Reply;
  readonly stream: ChannelStream;
  readonly reader: MessageReader;
}

/**
 * Opens a stream, sends one request (in the same write) and reads its reply. `action` completes "The
 * guest cannot". Refused or failed, the stream is gone.
 */
export async function exchange<Reply>(
  op: Op,
  session: Session,
  request: Readonly<Record<string, unknown>>,
  schema: z.ZodType<Reply>,
  action: string,
): Promise<Exchange<Reply>> {
  const stream = await session.open(op, encodeRequest(request, action));
  try {
    const reader = new MessageReader(session, stream);
    const reply = readReply(reader, await reader.line(op), schema, action);
    return { reply, stream, reader };
  } catch (error) {
    stream.reset();
    throw error;
  }
}

/** A request whose reply is all there is. */
export async function ask<Reply>(
  op: Op,
  session: Session,
  request: Readonly<Record<string, unknown>>,
  schema: z.ZodType<Reply>,
  action: string,
): Promise<Reply> {
  const { reply, stream } = await exchange(op, session, request, schema, action);
  stream.leave();
  return reply;
}

/** A request as it goes over the wire. `invalid_argument` when the guest would not read it. */
export function encodeRequest(
  request: Readonly<Record<string, unknown>>,
  action: string,
): Uint8Array {
  const line = Buffer.from(`${JSON.stringify(request)}\n`);
  if (line.length <= limits.channel.headerBytesMax) return line;
  throw new MicroagentError(
    "invalid_argument",
    `A request to ${action} takes ${line.length} bytes, wanted at most ${limits.channel.headerBytesMax}`,
    { hint: "Pass large data in a file or on standard input" },
  );
}

/** Checks a reply line: a refusal is thrown, anything else that does not fit is a violation. */
export function readReply<Reply>(
  reader: MessageReader,
  value: unknown,
  schema: z.ZodType<Reply>,
  action: string,
): Reply {
  const refusal = refusalOf(value, action);
  if (refusal !== null) throw refusal;
  if (!okSchema.safeParse(value).success) {
    throw reader.violate(`The guest's reply to a request to ${action} has no "ok"`);
  }
  const reply = schema.safeParse(value);
  if (reply.success) return reply.data;
  const where = reply.error.issues[0]?.path.join(".") ?? "";
  throw reader.violate(`The guest's reply to a request to ${action} has a bad "${where}"`);
}

const okSchema = z.object({ ok: z.literal(true) });

/** For replies that say nothing but yes. */
export const plainReply: z.ZodType<object> = z.object({});
