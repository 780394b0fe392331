import { setMaxListeners } from "node:events";
import { type IncomingMessage, ServerResponse } from "node:http";
import type { Duplex, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Op } from "../../base/op.ts";
import { badAnswer } from "./codings.ts";
import type { Destination, HeldGuard } from "./destination.ts";
import { type Field, fieldsOf, flat, valuesOf } from "./fields.ts";
import { forward, refusalOf } from "./forward.ts";
import { giveBack, hidden, passable } from "./give-back.ts";
import { GuestAnswerH1, guestRequestH1 } from "./guest-h1.ts";
import { prepare } from "./prepare.ts";
import { Refusal, refuse } from "./refusal.ts";
import { answerIn } from "./upstream-h1.ts";
import { searchedFrames } from "./websocket-frames.ts";

/** Compression would hide the credential from whoever looks for it in the bytes. In any spelling, as for credentials. */
function offersCompression(name: string): boolean {
  return name.replace(/[^a-z0-9]/g, "-") === "sec-websocket-extensions";
}

/** Protocols whose heads are compressed or whose bytes are encrypted: no server is offered one. */
const unsearchable = /^(h2c|http|spdy|tls)\b/i;

/**
 * A request to leave HTTP, WebSocket above all. After the server's 101 the bytes are copied as they
 * are, towards the guest past the guard: the messages of WebSocket, and what another protocol sends as one text.
 * Never fails; leaves the socket closed.
 */
export async function upgrade(
  op: Op,
  destination: Destination,
  message: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const response = new ServerResponse(message);
  response.shouldKeepAlive = false;
  response.assignSocket(socket as never);
  response.on("finish", () => socket.end());
  const answer = new GuestAnswerH1(message, response);
  let abort = () => {};
  let held: HeldGuard | null = null;
  socket.once("close", () => abort());
  try {
    const request = guestRequestH1(message);
    if (request.body !== null || request.method !== "GET") {
      throw new Refusal(400, "A request to switch protocols has a body", "malformed-request");
    }
    const protocols = valuesOf(request.fields, "upgrade").flatMap((value) => value.split(","));
    const offered = protocols.map((one) => one.trim()).filter((one) => !unsearchable.test(one));
    // As a server does that switches to none of them.
    if (offered.length === 0) return await forward(op, destination, request, answer);
    const { outgoing, credential } = await prepare(op, destination, request);
    const upstream = await destination.upstream.http1();
    if (upstream === null) {
      throw new Refusal(
        502,
        "The server speaks HTTP/2 only, which cannot switch protocols",
        "no-upgrade",
      );
    }
    held = destination.guard(credential);
    const { guard } = held;
    const fields = outgoing.fields.filter(([name]) => !offersCompression(name));
    const sent = upstream.upgrade({ ...outgoing, fields }, offered.join(", "));
    abort = () => sent.destroy();
    const outcome = await op.race(
      new Promise<{ message: IncomingMessage; socket: Duplex | null; head: Buffer }>(
        (resolve, reject) => {
          sent.on("error", reject);
          sent.on("upgrade", (given, other, rest) =>
            resolve({ message: given, socket: other, head: rest }),
          );
          sent.on("response", (given) =>
            resolve({ message: given, socket: null, head: Buffer.alloc(0) }),
          );
        },
      ),
    );
    const received = answerIn(outcome.message);
    if (received.status === 401) destination.source.reject(op, credential);
    else destination.source.accept(credential);
    if (outcome.socket === null) {
      return await giveBack(op, request, received, guard, answer, destination.report);
    }
    const protocol = valuesOf(fieldsOf(outcome.message.rawHeaders), "upgrade").join().toLowerCase();
    const isWebSocket = protocol.includes("websocket") || !/[^ ,]/.test(protocol);
    if (isWebSocket && received.fields.some(([name]) => offersCompression(name))) {
      outcome.socket.destroy();
      throw badAnswer("compresses WebSocket messages although it was not offered");
    }
    const other = outcome.socket;
    abort = () => other.destroy();
    response.detachSocket(socket as never);
    // Two pipelines listen to each socket, beside HTTP and TLS.
    setMaxListeners(32, socket, other);
    const switched = fieldsOf(outcome.message.rawHeaders).filter(([name]) => name === "upgrade");
    const shown = hidden(guard, [...passable(received.fields), ...switched]);
    socket.write(headText([...shown, ["connection", "Upgrade"]]));
    if (head.length > 0) other.write(head);
    if (outcome.head.length > 0) other.unshift(outcome.head);
    const searched = isWebSocket ? searchedFrames(guard) : guard.stream();
    await op.race(
      Promise.all([pipeline(socket, other), pipeline(other as Readable, searched, socket)]),
    );
  } catch (error) {
    abort();
    const hasSwitched = response.socket === null;
    if (hasSwitched && error instanceof Refusal) destination.report.refused(error);
    if (hasSwitched || answer.begun || socket.destroyed) {
      socket.destroy();
      return;
    }
    const refusal = refusalOf(error);
    if (refusal.audited) destination.report.refused(refusal);
    refuse(answer, refusal);
  } finally {
    held?.release();
  }
}

function headText(fields: readonly Field[]): string {
  const lines = flat(fields);
  let text = "HTTP/1.1 101 Switching Protocols\r\n";
  for (let at = 0; at < lines.length; at += 2) text += `${lines[at]}: ${lines[at + 1]}\r\n`;
  return `${text}\r\n`;
}
