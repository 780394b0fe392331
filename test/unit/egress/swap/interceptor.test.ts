import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { connect as connectH2 } from "node:http2";
import { expect, test } from "vitest";
import { gateTo } from "../../../fixtures/gate-to.ts";
import {
  exampleRule,
  getH1,
  getH2,
  guestTls,
  host,
  openGate,
  realKey,
  upstreamH1,
  upstreamH2,
} from "../../../fixtures/swap-gate.ts";

/** Answers with what it got, the credential reversed so that it comes through. */
const mirrorH1 = () =>
  upstreamH1(async (message, response) => {
    let body = "";
    for await (const part of message) body += part;
    const lines = JSON.stringify(message.rawHeaders);
    response.setHeader("x-key-seen", backwards(String(message.headers.authorization)));
    response.end(
      `${message.method} ${message.url} ${lines} ${body} ${JSON.stringify(message.trailers)}`,
    );
  });

const mirrorH2 = () =>
  upstreamH2(async (stream, headers) => {
    let body = "";
    let trailers = {};
    stream.on("trailers", (given) => {
      trailers = given;
    });
    for await (const part of stream) body += part;
    stream.respond({ ":status": 200, "x-key-seen": backwards(String(headers.authorization)) });
    stream.end(
      `${headers[":method"]} ${headers[":path"]} ${JSON.stringify(headers)} ${body} ${JSON.stringify(trailers)}`,
    );
  });

const backwards = (text: string) => [...text].reverse().join("");
const seen = backwards(`Bearer ${realKey}`);

const upstreams = [
  ["HTTP/1.1", mirrorH1],
  ["HTTP/2", mirrorH2],
] as const;

test.each(upstreams)(
  "a guest of HTTP/1.1 reaches a server of %s with the real credential",
  async (_, mirror) => {
    const gate = await gateTo(mirror());
    const answer = await getH1(gate, { method: "POST", path: "/v1?key=placeholder" }, "question");
    expect(answer.status).toBe(200);
    expect(answer.headers["x-key-seen"]).toBe(seen);
    expect(answer.body).toContain("POST /v1?key=placeholder");
    expect(answer.body).toContain("question");
    expect(gate.events).toContainEqual({ event: "egress_swap", host, dst: "", reason: "example" });
  },
);

test.each(upstreams)(
  "a guest of HTTP/2 reaches a server of %s with the real credential",
  async (_, mirror) => {
    const gate = await gateTo(mirror());
    const answer = await getH2(gate, { ":method": "POST", ":path": "/v1" }, "question");
    expect(answer.status).toBe(200);
    expect(answer.headers["x-key-seen"]).toBe(seen);
    expect(answer.body).toContain("POST /v1");
    expect(answer.body).toContain("question");
  },
);

test.each(upstreams)(
  "every credential of the guest is taken out before a server of %s",
  async (_, mirror) => {
    const gate = await gateTo(mirror());
    const mine = {
      AUTHORIZATION: ["Bearer mine-1", "Bearer mine-2"],
      "X-Api-Key": "mine-3",
      "x-goog-api-key": "mine-4",
      "proxy-authorization": "mine-5",
    };
    const lower = Object.fromEntries(
      Object.entries(mine).map(([name, value]) => [
        name.toLowerCase(),
        Array.isArray(value) ? value[0] : value,
      ]),
    ) as Record<string, string>;
    const first = await getH1(gate, {
      headers: { host, ...mine, connection: "keep-alive, x-hop", "x-hop": "1", "x-kept": "2" },
    });
    const second = await getH2(gate, lower);
    for (const answer of [first, second]) {
      expect(answer.headers["x-key-seen"]).toBe(seen);
      expect(answer.body).not.toContain("mine-");
    }
    expect(first.body).not.toContain("x-hop");
    expect(first.body).toContain("x-kept");
  },
);

test("an event stream arrives event by event, over each protocol", async () => {
  for (const [make, speaks] of [
    [upstreamH1Events, "h1"],
    [upstreamH2Events, "h2"],
  ] as const) {
    const steps: (() => void)[] = [];
    const gate = await gateTo(make((next) => steps.push(next)));
    const socket = await guestTls(gate, { ALPNProtocols: ["http/1.1"] });
    const request = httpRequest({ createConnection: () => socket, headers: { host } });
    request.end();
    const [message] = await once(request, "response");
    message.setEncoding("latin1");
    for (let i = 0; i < 3; i++) {
      // The server sends the next event only when we have the one before.
      const next = once(message, "data");
      steps.shift()?.();
      expect((await next)[0], speaks).toBe(`data: ${i}\n\n`);
    }
    socket.destroy();
  }
});

const upstreamH1Events = (ready: (next: () => void) => void) =>
  upstreamH1((_message, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.flushHeaders();
    for (let i = 0; i < 3; i++) ready(() => response.write(`data: ${i}\n\n`));
  });

const upstreamH2Events = (ready: (next: () => void) => void) =>
  upstreamH2((stream) => {
    stream.respond({ ":status": 200, "content-type": "text/event-stream" });
    for (let i = 0; i < 3; i++) ready(() => stream.write(`data: ${i}\n\n`));
  });

test("one connection serves many requests over one connection to the server", async () => {
  const gate = await gateTo(mirrorH1());
  const socket = await guestTls(gate, { ALPNProtocols: ["h2"] });
  const session = connectH2(`https://${host}`, { createConnection: () => socket });
  for (let i = 0; i < 5; i++) {
    const stream = session.request({ ":path": `/${i}` });
    const [given] = await once(stream, "response");
    expect(given[":status"]).toBe(200);
    stream.resume();
    await once(stream, "close");
  }
  session.destroy();
  expect(gate.dials.count).toBe(1);
});

test("twenty requests at once over HTTP/2", async () => {
  const gate = await gateTo(mirrorH2());
  const socket = await guestTls(gate, { ALPNProtocols: ["h2"] });
  const session = connectH2(`https://${host}`, { createConnection: () => socket });
  const one = async (i: number) => {
    const stream = session.request({ ":path": `/${i}` });
    let body = "";
    for await (const part of stream) body += part;
    return body.startsWith(`GET /${i} `);
  };
  const all = await Promise.all(Array.from({ length: 20 }, (_, i) => one(i)));
  session.destroy();
  expect(all.every(Boolean)).toBe(true);
  expect(gate.dials.count).toBe(1);
});

test("trailers pass in both directions, over each protocol", async () => {
  const withTrailers = () =>
    upstreamH1(async (message, response) => {
      for await (const _ of message) {
        // Only what follows it is of interest.
      }
      response.writeHead(200, { trailer: "x-sum" });
      response.write("body");
      response.addTrailers({ "x-sum": `${message.trailers["x-asked"]}-42` });
      response.end();
    });
  const gate = await gateTo(withTrailers());
  const socket = await guestTls(gate, { ALPNProtocols: ["http/1.1"] });
  const request = httpRequest({
    createConnection: () => socket,
    method: "POST",
    headers: { host, "transfer-encoding": "chunked" },
  });
  request.write("x");
  request.addTrailers({ "x-asked": "yes", authorization: "mine" });
  request.end();
  const [message] = await once(request, "response");
  message.resume();
  await once(message, "end");
  expect(message.trailers).toEqual({ "x-sum": "yes-42" });
  socket.destroy();
  const second = await getH2(gate, { ":method": "POST" }, "x");
  expect(second.trailers["x-sum"]).toBe("undefined-42");
});

test("100-continue comes from the server, and a refusal instead of it as well", async () => {
  const asked: string[] = [];
  const gate = await gateTo(
    upstreamH1((message, response) => {
      asked.push(String(message.headers.expect));
      if (message.url === "/no") return void response.writeHead(413).end();
      response.writeContinue();
      message.resume();
      message.on("end", () => response.end("done"));
    }),
  );
  const post = async (path: string) => {
    const socket = await guestTls(gate, { ALPNProtocols: ["http/1.1"] });
    const request = httpRequest({
      createConnection: () => socket,
      method: "POST",
      path,
      headers: { host, expect: "100-continue", "content-length": "4" },
    });
    request.flushHeaders();
    let continued = false;
    request.on("continue", () => {
      continued = true;
      request.end("body");
    });
    const [message] = await once(request, "response");
    socket.destroy();
    return [continued, message.statusCode];
  };
  expect(await post("/yes")).toEqual([true, 200]);
  expect(await post("/no")).toEqual([false, 413]);
  expect(asked).toEqual(["100-continue", "100-continue"]);
});

test("HEAD, 204 and 304 have no body and their head is kept", async () => {
  const gate = await gateTo(
    upstreamH1((message, response) => {
      const status = Number(message.url?.slice(1));
      response
        .writeHead(status, status === 200 ? { "content-length": "1234" } : { etag: '"a"' })
        .end();
    }),
  );
  const head = await getH1(gate, { method: "HEAD", path: "/200" });
  expect([head.status, head.headers["content-length"], head.body]).toEqual([200, "1234", ""]);
  expect((await getH1(gate, { path: "/204" })).status).toBe(204);
  expect((await getH1(gate, { path: "/304" })).headers.etag).toBe('"a"');
  expect(
    (await getH2(gate, { ":method": "HEAD", ":path": "/200" })).headers["content-length"],
  ).toBe("1234");
});

test("an upgrade passes, and its bytes go both ways past the guard", async () => {
  const gate = await gateTo(
    upstreamH1(
      (_message, response) => void response.writeHead(400).end(),
      undefined,
      (message, socket) => {
        const key = message.headers.authorization === `Bearer ${realKey}`;
        const extensions = message.headers["sec-websocket-extensions"] ?? "none";
        socket.write(
          `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: example\r\nX-Key: ${key}\r\nX-Extensions: ${extensions}\r\n\r\nhello ${realKey}`,
        );
        socket.on("data", (part: Buffer) => socket.write(part.toString().toUpperCase()));
      },
    ),
  );
  const socket = await guestTls(gate, { ALPNProtocols: ["http/1.1"] });
  const request = httpRequest({
    createConnection: () => socket,
    headers: {
      host,
      connection: "Upgrade",
      upgrade: "example",
      "sec-websocket-extensions": "permessage-deflate",
    },
  });
  request.end();
  const [message, stream, head] = await once(request, "upgrade");
  expect(message.headers["x-key"]).toBe("true");
  expect(message.headers["x-extensions"]).toBe("none");
  let text = head.toString();
  while (!text.includes("*")) text += (await once(stream, "data"))[0];
  expect(text).toBe(`hello ${"*".repeat(realKey.length)}`);
  stream.write("abc");
  expect(String((await once(stream, "data"))[0])).toBe("ABC");
  socket.destroy();
});

test("an answer that ends the connection arrives whole through a guest's stream", async () => {
  const content = "x".repeat(4 * 1024 * 1024);
  const gate = await gateTo(
    upstreamH1((_message, response) => void response.end(content)),
    { asStream: true },
  );
  const socket = await guestTls(gate, { ALPNProtocols: ["http/1.1"] });
  socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  let length = 0;
  for await (const part of socket) length += part.length;
  expect(length).toBeGreaterThan(content.length);
  // A reset would overtake what the guest has not read yet.
  await gate.close();
  expect(gate.resets.count).toBe(0);
});

test("a rule for a host goes before one for its domain, and two for the same host are refused", async () => {
  const wide = { ...exampleRule, name: "wide", domains: [".example.test"], keyRef: "env:WIDE" };
  const gate = await gateTo(mirrorH1(), {
    rules: [wide, exampleRule],
    resolveSecret: async (reference) => Buffer.from(`${reference}-${realKey}`),
  });
  expect(backwards(String((await getH1(gate)).headers["x-key-seen"]))).toBe(
    `Bearer env:EXAMPLE_KEY-${realKey}`,
  );
  expect(gate.interceptor.covers("other.example.test", 443)).toBe(true);
  expect(gate.interceptor.covers("other.example.test", 8443)).toBe(false);
  expect(gate.interceptor.covers("example.testing", 443)).toBe(false);
  expect(gate.interceptor.hosts).toEqual([".example.test:443", `${host}:443`]);
  const twice = [exampleRule, { ...exampleRule, name: "again" }];
  await expect(openGate({ upstreamPort: 1, rules: twice })).rejects.toThrow(
    'Swaps "example" and "again" are both for "api.example.test:443": wanted one credential for a host',
  );
});
