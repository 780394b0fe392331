import type { Duplex } from "node:stream";
import { z } from "zod";
import { MicroagentError } from "../base/errors.ts";
import { randomHex } from "../base/ids.ts";
import { jsonOrNull } from "../base/json.ts";
import { limits } from "../base/limits.ts";
import type { Op } from "../base/op.ts";
import { protocolViolation } from "./failure.ts";
import { readLinkLine } from "./link-line.ts";
import { printable, printableBytes } from "./printable.ts";

/** Protocol version both ends must speak. */
export const protocolVersion = 1;

/** Begins each of the two handshake lines. */
export const handshakeMark = "MICROAGENT ";

/** What the guest agent says about itself in the handshake. */
export interface GuestHello {
  readonly session: string;
  /** Version of the guest agent. */
  readonly agent: string;
  /** Release of the guest's kernel, as `uname -r` prints it. */
  readonly kernel: string;
  readonly arch: string;
  /** Age of the guest when it answered. */
  readonly uptimeMs: number;
}

const shortText = z.string().max(200);
const answerSchema = z.object({ v: z.number(), session: z.string() });
const refusalSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) });
const helloSchema = z.object({
  agent: shortText,
  kernel: shortText,
  arch: shortText,
  uptime_ms: z.number().nonnegative(),
});

/**
 * Says hello, with what `also` writes in the same write, and checks the guest's answer; afterwards the link is
 * positioned at the first yamux byte. Fails with `protocol_violation`, `agent_mismatch`, `guest_refused` or `channel_closed`.
 */
export async function hostHandshake(
  op: Op,
  link: Duplex,
  session: string = randomHex(16),
  also: () => void = () => {},
): Promise<GuestHello> {
  link.cork();
  link.write(`${handshakeMark}${JSON.stringify({ v: protocolVersion, session })}\n`);
  also();
  link.uncork();
  const line = await readLinkLine(op, link, limits.channel.helloBytesMax, refuseOtherBytes);
  return parseGuestHello(line, session);
}

/**
 * The guest's side, for guests that live in this process: waits for the host's line, skipping what
 * comes before it, and answers with a hello, with raw bytes, or (null) not at all.
 */
export async function guestHandshake(
  op: Op,
  link: Duplex,
  answer: (session: string) => Omit<GuestHello, "session"> | Uint8Array | null,
): Promise<void> {
  for (;;) {
    const line = await readLinkLine(op, link, limits.channel.helloBytesMax, () => {});
    const text = Buffer.from(line).toString("utf8");
    if (!text.startsWith(handshakeMark)) continue;
    const host = answerSchema.safeParse(jsonOrNull(text.slice(handshakeMark.length)));
    if (!host.success) continue;
    const { session } = host.data;
    const said = answer(session);
    if (said === null) await op.race(new Promise<never>(() => {}));
    else if (said instanceof Uint8Array) link.write(said);
    else {
      const { agent, kernel, arch, uptimeMs } = said;
      const hello = { v: protocolVersion, session, agent, kernel, arch, uptime_ms: uptimeMs };
      link.write(`${handshakeMark}${JSON.stringify(hello)}\n`);
    }
    return;
  }
}

/** Checks the guest's whole handshake line, without its newline. */
export function parseGuestHello(line: Uint8Array, session: string): GuestHello {
  refuseOtherBytes(line);
  const text = Buffer.from(line.buffer, line.byteOffset, line.length).toString("utf8");
  const value = jsonOrNull(text.slice(handshakeMark.length));
  const answer = answerSchema.safeParse(value);
  if (!answer.success) throw badHello(text, "a version and a session");
  const { v, session: echoed } = answer.data;
  if (v !== protocolVersion) {
    throw new MicroagentError(
      "agent_mismatch",
      `The guest agent speaks protocol version "${v}", this host speaks "${protocolVersion}"`,
      { hint: "Rebuild the guest agent with npm run build:guest" },
    );
  }
  if (echoed !== session) {
    throw protocolViolation(
      `The guest answered for session "${printable(echoed)}", wanted "${session}"`,
    );
  }
  const refusal = refusalSchema.safeParse(value);
  if (refusal.success) {
    const { code, message } = refusal.data.error;
    throw new MicroagentError(
      "guest_refused",
      `The guest agent cannot serve: ${printable(message, 500)}`,
      { details: { guestCode: printable(code, 64) } },
    );
  }
  const hello = helloSchema.safeParse(value);
  if (!hello.success) throw badHello(text, "agent, kernel, arch and uptime_ms");
  const { agent, kernel, arch, uptime_ms: uptimeMs } = hello.data;
  return {
    session,
    agent: printable(agent),
    kernel: printable(kernel),
    arch: printable(arch),
    uptimeMs,
  };
}

/** Throws as soon as the bytes so far cannot become a handshake line. */
function refuseOtherBytes(soFar: Uint8Array): void {
  const bytes = Math.min(soFar.length, handshakeMark.length);
  for (let at = 0; at < bytes; at++) {
    if (soFar[at] !== handshakeMark.charCodeAt(at)) {
      throw protocolViolation(
        `The guest sent "${printableBytes(soFar)}" before its handshake, wanted a line that begins with "${handshakeMark}"`,
      );
    }
  }
}

function badHello(text: string, wanted: string): MicroagentError {
  return protocolViolation(`The guest answered "${printable(text)}", wanted ${wanted}`);
}
