import { isMicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import type { Destination, HeldGuard } from "./destination.ts";
import type { GuestAnswer, GuestRequest, UpstreamExchange } from "./exchange.ts";
import { giveBack, hidden, passable } from "./give-back.ts";
import { prepare } from "./prepare.ts";
import { Refusal, refuse } from "./refusal.ts";
import { upload } from "./upload.ts";

/** One request of the guest and its answer. Never fails: what goes wrong is told to the guest, or breaks it off. */
export async function forward(
  op: Op,
  destination: Destination,
  request: GuestRequest,
  answer: GuestAnswer,
): Promise<void> {
  let exchange: UpstreamExchange | null = null;
  let held: HeldGuard | null = null;
  let gone = false;
  const unwanted = new AbortController();
  answer.onClose(() => {
    gone = true;
    exchange?.abort();
  });
  try {
    const { outgoing, credential, trailers } = await prepare(op, destination, request);
    if (gone) return;
    held = destination.guard(credential);
    const { guard } = held;
    const sent = await destination.upstream.request(outgoing, (status, fields) =>
      answer.informational(status, hidden(guard, passable(fields))),
    );
    exchange = sent;
    if (gone) return sent.abort();
    if (request.body !== null && sent.body !== null) {
      upload(op, request.body, sent.body, outgoing.bodyBytes, unwanted.signal).then(
        (isWhole) => isWhole && sent.end(trailers()),
        // An upload that fails ends the exchange, and so the wait for its answer.
        () => sent.abort(),
      );
    }
    const received = await op.race(sent.answer);
    if (received.status === 401) destination.source.reject(op, credential);
    else destination.source.accept(credential);
    // A server that refuses reads no further, and may close what is still written to.
    if (received.status >= 300) unwanted.abort();
    await giveBack(op, request, received, guard, answer, destination.report);
    // An answer may come before the question has been read to its end; the rest is of no use then.
    if (request.body !== null && !request.body.readableEnded) {
      unwanted.abort();
      sent.abort();
    }
  } catch (error) {
    unwanted.abort();
    if (exchange === null) request.body?.resume();
    exchange?.abort();
    if (gone) return;
    if (answer.begun) return answer.abort();
    const refusal = refusalOf(error);
    if (refusal.audited) destination.report.refused(refusal);
    refuse(answer, refusal);
  } finally {
    held?.release();
  }
}

/** What Node says of a head that it will not write: the guest's doing. */
const malformed: ReadonlySet<string> = new Set([
  "ERR_INVALID_CHAR",
  "ERR_INVALID_HTTP_TOKEN",
  "ERR_UNESCAPED_CHARACTERS",
  "ERR_HTTP2_HEADER_SINGLE_VALUE",
  "ERR_HTTP2_INVALID_CONNECTION_HEADERS",
]);

/** What the guest is told of a failure. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (isMicroagentError(error) && error.details.audited === true) {
    return new Refusal(502, error.message, null);
  }
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  if (code?.startsWith("HPE_") === true) {
    const what = `cannot be read (${code})`;
    return new Refusal(502, `The answer ${what}`, `unreadable-answer: ${what}`);
  }
  // A server of TLS 1.3 refuses a client, or the lack of its certificate, after the client has begun.
  if (code?.startsWith("ERR_SSL_") === true) {
    return new Refusal(502, `The server broke off TLS (${code})`, `upstream-broke-off: ${code}`);
  }
  return code !== undefined && malformed.has(code)
    ? new Refusal(400, "The request is malformed", "malformed-request")
    : new Refusal(502, "The server broke off the exchange", "upstream-broke-off");
}
