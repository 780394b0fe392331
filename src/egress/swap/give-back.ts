import { type Duplex, pipeline, type Readable } from "node:stream";
import type { Op } from "../../base/op.ts";
import { badAnswer, decodersOf } from "./codings.ts";
import type { Report } from "./destination.ts";
import type { GuestAnswer, GuestRequest, UpstreamAnswer } from "./exchange.ts";
import { endToEnd, type Field, isForTrailer, tooManyFields } from "./fields.ts";
import type { EchoGuard } from "./redactor.ts";
import { relay } from "./relay.ts";

/** The only way of an answer to the guest: decoded where it is encoded, and past the guard in all its parts. */
export async function giveBack(
  op: Op,
  request: GuestRequest,
  received: UpstreamAnswer,
  guard: EchoGuard,
  answer: GuestAnswer,
  report: Report,
): Promise<void> {
  const fields = passable(received.fields);
  if (tooManyFields(fields)) throw badAnswer("sent a head that is too large");
  const isBodiless =
    received.ended ||
    request.method === "HEAD" ||
    received.status === 204 ||
    received.status === 304;
  const decoders = isBodiless ? [] : decodersOf(received.status, received.fields);
  const dropped = decoders.length === 0 ? [] : ["content-encoding", "content-length"];
  const shown = hidden(
    guard,
    fields.filter(([name]) => !dropped.includes(name)),
  );
  if (isBodiless) {
    received.body.resume();
    return answer.whole(received.status, shown);
  }
  const sink = answer.begin(received.status, shown);
  const meter = report.meter(fields);
  const stages = [...decoders, guard.stream(), ...(meter === null ? [] : [meter])];
  const last = pipeline([received.body, ...stages] as [Readable, Duplex], () => {});
  await relay(op, last as Duplex, sink, null);
  const trailers = received.trailers().filter(([name]) => isForTrailer(name));
  answer.end(hidden(guard, trailers));
}

/** Fields for the guest. `alt-svc` announces HTTP/3, which no guest can reach. */
export function passable(fields: readonly Field[]): readonly Field[] {
  return endToEnd(fields).filter(([name]) => name !== "alt-svc");
}

export function hidden(guard: EchoGuard, fields: readonly Field[]): readonly Field[] {
  return fields.map(([name, value]): Field => [guard.text(name), guard.text(value)]);
}
