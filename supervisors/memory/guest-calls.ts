import { MessageReader } from "../../src/agent/message-reader.ts";
import type { Op } from "../../src/base/op.ts";
import type { Session } from "../../src/channel/session.ts";
import type { ChannelStream } from "../../src/channel/stream.ts";

/** A two-way byte stream of an in-memory guest: a call of its own, or a connection to one of its ports. */
export interface GuestConnection {
  /** Null once the other side has ended its half. */
  read(): Promise<Uint8Array | null>;
  write(data: string | Uint8Array): Promise<void>;
  /** Ends this half. */
  end(): void;
  reset(): void;
}

/** The host's answer to a call, and the stream behind it when it said yes. */
export interface GuestCallAnswer {
  readonly ok: boolean;
  /** Why not. */
  readonly code: string | null;
  readonly message: string | null;
  /** Every field of the answer. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly connection: GuestConnection;
}

/** Opens a stream to the host with one request line, as a guest agent does for its network. */
export async function callHost(
  op: Op,
  session: Session,
  request: Readonly<Record<string, unknown>>,
): Promise<GuestCallAnswer> {
  const stream = await session.open(op, Buffer.from(`${JSON.stringify(request)}\n`));
  const reader = new MessageReader(session, stream);
  const fields = (await reader.line(op)) as Record<string, unknown>;
  reader.release();
  const text = (key: string) => (typeof fields[key] === "string" ? fields[key] : null);
  return {
    ok: fields.ok === true,
    code: text("code"),
    message: text("message"),
    fields,
    connection: connectionOver(op, stream),
  };
}

export function connectionOver(op: Op, stream: ChannelStream): GuestConnection {
  return {
    read: () => stream.read(op),
    write: (data) => stream.write(op, typeof data === "string" ? Buffer.from(data) : data),
    end: () => stream.end(),
    reset: () => stream.reset(),
  };
}
