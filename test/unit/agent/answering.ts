import { duplexPair } from "node:stream";
import { Agent } from "../../../src/agent/agent.ts";
import { isMicroagentError, type MicroagentError } from "../../../src/base/errors.ts";
import { type Op, startOp, withOp } from "../../../src/base/op.ts";
import { guestHandshake } from "../../../src/channel/handshake.ts";
import { Session } from "../../../src/channel/session.ts";
import type { ChannelStream } from "../../../src/channel/stream.ts";

const forever = startOp("guest").op;

/** An agent whose guest answers every request with these bytes and then ends the stream, or not. */
export async function answering<T>(
  bytes: Uint8Array | readonly Uint8Array[],
  work: (op: Op, agent: Agent) => Promise<T>,
  after: "ends" | "resets" = "ends",
): Promise<{ outcome: T | MicroagentError; agent: Agent }> {
  return await withOp("test", { timeoutMs: 10_000 }, async (op) => {
    const [hostLink, guestLink] = duplexPair();
    guestLink.on("error", () => {});
    const hello = { agent: "0", kernel: "6", arch: "x86_64", uptimeMs: 1 };
    const [agent] = await Promise.all([
      Agent.connect(op, hostLink),
      guestHandshake(op, guestLink, () => hello),
    ]);
    const answer = async (stream: ChannelStream) => {
      await stream.read(forever);
      await stream.write(forever, bytes);
      if (after === "ends") stream.end();
      else stream.reset();
    };
    const guest = new Session(guestLink, "server", {
      onStream: (stream) => void answer(stream).catch(() => {}),
    });
    try {
      return { outcome: await op.race(work(op, agent)), agent };
    } catch (error) {
      if (!isMicroagentError(error)) throw error;
      return { outcome: error, agent };
    } finally {
      agent.close();
      guest.close();
    }
  });
}
