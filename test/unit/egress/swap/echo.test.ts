import { inspect } from "node:util";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { gateTo } from "../../../fixtures/gate-to.ts";
import { getH1, getH2, realKey, upstreamH1 } from "../../../fixtures/swap-gate.ts";

test("an answer that brings the credential back is starred out, length for length, and flagged once", async () => {
  const gate = await gateTo(
    upstreamH1((_message, response) => {
      response.writeHead(200, { "x-echo": `Bearer ${realKey}` });
      response.write(`a ${realKey.slice(0, 9)}`);
      setImmediate(() => {
        response.write(realKey.slice(9));
        response.end(" b");
      });
    }),
  );
  for (const answer of [await getH1(gate), await getH2(gate)]) {
    const stars = "*".repeat(realKey.length);
    expect(answer.body).toBe(`a ${stars} b`);
    expect(answer.headers["x-echo"]).toBe(`Bearer ${stars}`);
  }
  const flagged = gate.events.filter(({ signal }) => signal === "credential-echo");
  expect(flagged).toHaveLength(2);
  expect(flagged[0]?.event).toBe("egress_swap_error");
});

test("a server that compresses unasked is read, and what cannot be read does not pass", async () => {
  const gate = await gateTo(
    upstreamH1((message, response) => {
      const coding = message.url === "/gzip" ? "gzip" : "compress";
      response.writeHead(200, { "content-encoding": coding });
      response.end(gzipSync(`a ${realKey} b`));
    }),
  );
  const answer = await getH1(gate, { path: "/gzip" });
  expect(answer.body).toBe(`a ${"*".repeat(realKey.length)} b`);
  expect(answer.headers["content-encoding"]).toBeUndefined();
  expect((await getH1(gate, { path: "/compress" })).status).toBe(502);
});

test("a credential is asked for once for many requests, and anew when the server refuses it", async () => {
  let asked = 0;
  const gate = await gateTo(
    upstreamH1(
      (message, response) => void response.writeHead(message.url === "/401" ? 401 : 200).end(),
    ),
    { resolveSecret: async () => Buffer.from(`${realKey}-${++asked}`) },
  );
  await Promise.all([getH1(gate), getH1(gate), getH1(gate)]);
  expect(asked).toBe(1);
  await getH1(gate, { path: "/401" });
  await getH1(gate);
  expect(asked).toBe(2);
});

test("the credential shows in no event, no inspection and no text", async () => {
  const gate = await gateTo(upstreamH1((_message, response) => void response.end("ok")));
  await getH1(gate);
  const shown = [
    inspect(gate.interceptor, { depth: 20, showHidden: true }),
    JSON.stringify(gate.interceptor),
    JSON.stringify(gate.events),
  ];
  expect(shown.join("\n")).not.toContain(realKey);
  expect(shown.join("\n")).not.toContain("PRIVATE KEY");
});
