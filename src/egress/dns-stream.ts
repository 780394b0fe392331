import type { GuestCallStream } from "../agent/guest-calls.ts";
import { limits } from "../base/limits.ts";
import type { Op } from "../base/op.ts";
import { DatagramReader, framed } from "./datagrams.ts";
import type { Asked, DnsServer } from "./dns-server.ts";

/** Questions of one connection answered side by side. */
const besideMax = 16;

/** Serves DNS messages on a stream: one over UDP, any number over TCP, which frames them the same way. */
export async function serveDns(
  op: Op,
  server: DnsServer,
  asked: Asked,
  call: GuestCallStream,
): Promise<void> {
  const stream = call.accept();
  const reader = new DatagramReader(stream);
  const underway = new Set<Promise<void>>();
  try {
    do {
      const message = await op.step("dns", (inner) => reader.next(inner), {
        timeoutMs: limits.egress.dnsIdleMs,
      });
      if (message === null) break;
      const answering = server
        .answer(op, message, asked)
        .then(async (answer) => {
          if (answer !== null) await stream.write(op, framed(answer));
        })
        .catch(() => {})
        .finally(() => underway.delete(answering));
      underway.add(answering);
      if (underway.size >= besideMax) await Promise.race(underway);
    } while (asked.transport === "tcp");
    await Promise.all(underway);
    stream.end();
    stream.finish();
  } catch {
    stream.reset();
  }
}
