import { asMicroagentError, MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { type Clock, type Op, startOp } from "../base/op.ts";
import type { ChannelStream } from "../channel/stream.ts";
import { type BadCall, type GuestCall, parseGuestCall } from "./guest-call-line.ts";
import type { ByteStream, GuestCallStream, GuestCalls, RefusalCode } from "./guest-calls.ts";
import { LeavingStreams } from "./leaving-streams.ts";

const newline = 0x0a;

/**
 * Serves the streams a guest opens. Root in the guest can open them too, with any content: a line is
 * bounded in size and time, whatever does not fit is refused, and no call can end more than itself.
 */
export class GuestCallServer {
  readonly #calls: GuestCalls;
  readonly #op: Op;
  readonly #abort = new AbortController();
  readonly #leaving: LeavingStreams;

  constructor(calls: GuestCalls, clock: Clock) {
    this.#calls = calls;
    // Its life is the session's, which has no deadline; `close` is the other end.
    const { op } = startOp("guest-call", { clock, signal: this.#abort.signal });
    this.#op = op;
    this.#leaving = new LeavingStreams(clock);
  }

  readonly onStream = (stream: ChannelStream): void => {
    const answering = new Answering(stream, this.#leaving);
    this.#serve(stream, answering).catch((error: unknown) => {
      // The stream or the session is over, or a handler failed after its yes.
      stream.reset(asMicroagentError(error));
    });
  };

  close(reason: MicroagentError): void {
    this.#abort.abort(reason);
    this.#leaving.close();
  }

  async #serve(stream: ChannelStream, answering: Answering): Promise<void> {
    let line: string | null;
    try {
      line = await this.#op.step("line", (op) => readLine(op, stream), {
        timeoutMs: limits.guestCalls.lineMs,
      });
    } catch (error) {
      if (asMicroagentError(error).code === "timeout") answering.refuse("failed", "No line came");
      throw error;
    }
    if (line === null) {
      const { lineBytesMax } = limits.guestCalls;
      answering.refuse("failed", `Wanted a line of at most ${lineBytesMax} bytes`);
      return;
    }
    const call = parseGuestCall(line);
    if (isBad(call)) return answering.refuse(call.code, call.message);
    if (call.op === "tcp" && call.window !== undefined) stream.sendAtMost(call.window);
    try {
      await this.#dispatch(call, answering);
    } catch (error) {
      if (answering.answered) throw error;
      const { kind, message } = asMicroagentError(error);
      // Only a decision is explained: other reasons could tell of the host.
      if (kind === "policy_denied") answering.refuse("denied", message);
      else answering.refuse("failed", "The host could not do what was asked");
    }
  }

  async #dispatch(call: GuestCall, stream: Answering): Promise<void> {
    const { tcp, udp, dns, unmediated, secret, mediation } = this.#calls;
    const op = this.#op;
    if (call.op === "tcp" && tcp) await tcp(op, call, stream);
    else if (call.op === "udp" && udp) await udp(op, call, stream);
    else if (call.op === "dns" && dns) await dns(op, call, stream);
    else if (call.op === "unmediated" && unmediated) {
      await unmediated(op, call);
      stream.done({});
    } else if (call.op === "secret" && secret) {
      const value = await secret(op, call);
      stream.done({ value: Buffer.from(value).toString("base64") });
    } else if (call.op === "mediation" && mediation) await mediation(op, stream);
    else stream.refuse("unsupported", `Nothing serves "${call.op}" here`);
    if (!stream.answered) throw new MicroagentError("internal", `A "${call.op}" was not answered`);
  }
}

class Answering implements GuestCallStream {
  answered = false;
  readonly #stream: ChannelStream;
  readonly #leaving: LeavingStreams;

  constructor(stream: ChannelStream, leaving: LeavingStreams) {
    this.#stream = stream;
    this.#leaving = leaving;
  }

  accept(): ByteStream {
    this.#answer({ ok: true });
    return this.#stream;
  }

  refuse(code: RefusalCode, message: string): void {
    this.#answer({ ok: false, code, message: message.slice(0, 500) });
    this.#leave();
  }

  /** A yes that says all there is to say. */
  done(reply: Readonly<Record<string, unknown>>): void {
    this.#answer({ ok: true, ...reply });
    this.#leave();
  }

  #answer(reply: Readonly<Record<string, unknown>>): void {
    if (this.answered) throw new MicroagentError("internal", "A call was answered twice");
    this.answered = true;
    if (this.#stream.failed) return;
    // What is written next stands behind it in the stream's queue, so nobody has to wait for it.
    this.#stream.write(forever, Buffer.from(`${JSON.stringify(reply)}\n`)).catch(() => {});
  }

  #leave(): void {
    this.#stream.leave();
    this.#leaving.add(this.#stream);
  }
}

/** Writes under it end with their stream. */
const forever: Op = startOp("guest-call").op;

function isBad(call: GuestCall | BadCall): call is BadCall {
  return "code" in call;
}

/** The first line, what follows it given back to the stream; null when it is too long or cut off. */
async function readLine(op: Op, stream: ChannelStream): Promise<string | null> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for (;;) {
    const piece = await stream.read(op);
    if (piece === null) return null;
    const at = piece.indexOf(newline);
    const end = at < 0 ? piece.length : at;
    bytes += end;
    if (bytes >= limits.guestCalls.lineBytesMax) return null;
    parts.push(piece.subarray(0, end));
    if (at < 0) continue;
    stream.unread(piece.subarray(at + 1));
    return Buffer.concat(parts).toString("utf8");
  }
}
