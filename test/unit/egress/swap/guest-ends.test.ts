import { once } from "node:events";
import { connect as connectH2 } from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { expect, test } from "vitest";
import { gateTo } from "../../../fixtures/gate-to.ts";
import { type Gate, host, upstreamH2, world } from "../../../fixtures/swap-gate.ts";

async function tcp(gate: Gate): Promise<Socket> {
  const socket = connectTcp({ port: gate.port, host: "127.0.0.1", allowHalfOpen: true });
  await once(socket, "connect");
  return socket;
}

test("a client that ends without a word of TLS is noticed at once, over HTTP/2", async () => {
  let ended: () => void = () => {};
  const over = new Promise<void>((resolve) => {
    ended = resolve;
  });
  const gate = await gateTo(
    upstreamH2((stream) => {
      stream.on("close", ended);
      stream.respond({ ":status": 200 });
      stream.write("for ever");
    }),
    { asStream: true },
  );
  const raw = await tcp(gate);
  const socket = connectTls({
    socket: raw,
    servername: host,
    ca: gate.interceptor.caCertificatePem,
    ALPNProtocols: ["h2"],
  });
  await once(socket, "secureConnect");
  const session = connectH2(`https://${host}`, { createConnection: () => socket });
  session.on("error", () => {});
  const stream = session.request({ ":path": "/" });
  stream.on("error", () => {});
  await once(stream, "response");
  // What the kernel sends for a process that is gone, and nothing more.
  raw.end();
  await over;
  socket.destroy();
});

test("a handshake that the guest ends is in the audit at once", async () => {
  const gate = await gateTo(
    upstreamH2(() => {}),
    { asStream: true },
  );
  const raw = await tcp(gate);
  raw.end();
  raw.resume();
  await once(raw, "close");
  expect(gate.events).toEqual([
    {
      event: "egress_mitm_handshake_error",
      host,
      dst: "",
      reason: "the guest closed the connection",
    },
  ]);
});

test("a guest that does not trust us is in the audit at once, with what it said", async () => {
  const gate = await gateTo(
    upstreamH2(() => {}),
    { asStream: true },
  );
  const raw = await tcp(gate);
  raw.on("error", () => {});
  const socket = connectTls({ socket: raw, servername: host, ca: world.certificatePem });
  await once(socket, "error");
  raw.end();
  while (gate.events.length === 0) await new Promise((resolve) => setImmediate(resolve));
  expect(gate.events[0]?.event).toBe("egress_mitm_handshake_error");
});
