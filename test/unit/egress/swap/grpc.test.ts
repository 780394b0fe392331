import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { connect as connectH2 } from "node:http2";
import { expect, test } from "vitest";
import { gateTo } from "../../../fixtures/gate-to.ts";
import {
  exampleRule,
  getH2,
  guestTls,
  host,
  realKey,
  upstreamH1,
  upstreamH2,
} from "../../../fixtures/swap-gate.ts";

test("te: trailers reaches a server of HTTP/2, and its trailers come back past the guard", async () => {
  let te: unknown;
  const gate = await gateTo(
    upstreamH2((stream, headers) => {
      te = headers.te;
      stream.respond({ ":status": 200 }, { waitForTrailers: true });
      stream.on("wantTrailers", () =>
        stream.sendTrailers({ "grpc-status": "0", "grpc-message": `for ${realKey}` }),
      );
      stream.end("message");
    }),
  );
  const answer = await getH2(gate, { ":method": "POST", te: "trailers" }, "question");
  expect(te).toBe("trailers");
  expect(answer.trailers).toMatchObject({
    "grpc-status": "0",
    "grpc-message": `for ${"*".repeat(realKey.length)}`,
  });
});

test("an answer of a head alone ends with its head, as an error of gRPC does", async () => {
  const gate = await gateTo(
    upstreamH2((stream) =>
      stream.respond({ ":status": 200, "grpc-status": "16" }, { endStream: true }),
    ),
  );
  const socket = await guestTls(gate, { ALPNProtocols: ["h2"] });
  const session = connectH2(`https://${host}`, { createConnection: () => socket });
  const stream = session.request({ ":path": "/" });
  const [given, flags] = await once(stream, "response");
  expect(given["grpc-status"]).toBe("16");
  expect(flags & 1).toBe(1);
  session.destroy();
});

test("credentials of the guest leave in no trailer and in no spelling that a server takes for them", async () => {
  const seen: string[] = [];
  const gate = await gateTo(
    upstreamH1(async (message, response) => {
      for await (const _ of message) {
        // Only what follows it is of interest.
      }
      seen.push(...message.rawHeaders, ...message.rawTrailers);
      response.end();
    }),
    { rules: [{ ...exampleRule, header: "X-Token", format: "{key}" }] },
  );
  const socket = await guestTls(gate, { ALPNProtocols: ["http/1.1"] });
  const request = httpRequest({
    createConnection: () => socket,
    method: "POST",
    headers: {
      host,
      "transfer-encoding": "chunked",
      connection: "keep-alive, x-token",
      "X-TOKEN": "mine-1",
      x_token: "mine-2",
      "x.token": "mine-3",
      X_Api_Key: "mine-4",
    },
  });
  request.write("x");
  request.addTrailers({
    "x-token": "mine-5",
    X_Token: "mine-6",
    authorization: "mine-7",
    "x-api-key": "mine-8",
    "proxy-authorization": "mine-9",
    "x-kept": "kept",
  });
  request.end();
  const [message] = (await once(request, "response")) as [IncomingMessage];
  message.resume();
  await once(message, "end");
  socket.destroy();
  expect(seen).toContain(realKey);
  expect(seen).toContain("kept");
  expect(seen.join("\n")).not.toMatch(/mine-/);
});

test("early hints, header names, cookies and a status text bring nothing back", async () => {
  const gate = await gateTo(
    upstreamH1((message) => {
      const name = realKey.replaceAll("_", "-");
      message.socket.end(
        `HTTP/1.1 103 Early Hints\r\nLink: <${realKey}>\r\n\r\nHTTP/1.1 200 ${realKey}\r\n${name}: 1\r\n` +
          `Set-Cookie: a=${realKey}\r\nSet-Cookie: b=${encodeURIComponent(realKey)}\r\nTransfer-Encoding: chunked\r\n\r\n` +
          `2;x=${realKey}\r\nok\r\n0\r\nX-After: ${realKey}\r\n\r\n`,
      );
    }),
  );
  for (const protocol of ["h2", "http/1.1"]) {
    const socket = await guestTls(gate, { ALPNProtocols: [protocol] });
    let heard = "";
    if (protocol === "h2") {
      const session = connectH2(`https://${host}`, { createConnection: () => socket });
      const stream = session.request({ ":path": "/" });
      const keep = (given: unknown) => {
        heard += JSON.stringify(given);
      };
      stream.on("headers", keep).on("response", keep).on("trailers", keep);
      stream.resume();
      await once(stream, "close");
      session.destroy();
      expect(heard).toContain("103");
    } else {
      socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      for await (const part of socket) heard += part;
    }
    expect(heard).toContain("****");
    expect(heard.toLowerCase()).not.toContain(realKey.toLowerCase());
  }
});
