import { once } from "node:events";
import { connect } from "node:tls";
import { expect, test } from "vitest";
import { gateTo } from "../../../fixtures/gate-to.ts";
import { getH1, guestTls, host, upstreamH1 } from "../../../fixtures/swap-gate.ts";

const upstream = () => upstreamH1((_, response) => void response.end("answered"));

test.each([
  [["h2", "http/1.1"], "h2"],
  [["http/1.1", "http/1.0"], "http/1.1"],
  [["http/1.0"], "http/1.0"],
  [undefined, false],
])("a guest that offers %j speaks %s", async (offered, spoken) => {
  const gate = await gateTo(upstream());
  const socket = await guestTls(gate, { ALPNProtocols: offered });
  expect(socket.alpnProtocol).toBe(spoken);
  socket.destroy();
});

test("a guest of HTTP/1.0 is answered", async () => {
  const gate = await gateTo(upstream());
  const socket = await guestTls(gate, { ALPNProtocols: ["http/1.0"] });
  const answer = await getH1(gate, { createConnection: () => socket });
  expect(answer).toMatchObject({ status: 200, body: "answered" });
});

test("a guest that offers another protocol alone is refused in its handshake", async () => {
  const gate = await gateTo(upstream());
  const { caCertificatePem: ca } = gate.interceptor;
  const options = { host: "127.0.0.1", port: gate.port, servername: host, ca };
  const socket = connect({ ...options, ALPNProtocols: ["imap"] });
  const [error] = await once(socket, "error");
  expect(error.code).toMatch(/NO_APPLICATION_PROTOCOL/);
});
