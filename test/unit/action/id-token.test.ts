import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { idTokenVariable, provideIdToken } from "../../../action/id-token.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

async function service(answer: RequestListener): Promise<void> {
  const server = createServer(answer);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  vi.stubEnv("ACTIONS_ID_TOKEN_REQUEST_URL", `http://127.0.0.1:${port}/token?api-version=2.0`);
  vi.stubEnv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "request-s3cret");
  vi.stubEnv(idTokenVariable, "");
}

test("a token is asked for with its audience, and again when the service fails", async () => {
  const asked: (string | undefined)[] = [];
  await service((message, response) => {
    asked.push(message.url, message.headers.authorization);
    if (asked.length === 2) return void response.writeHead(503).end();
    response.end('{"value":"the-id-token"}');
  });
  await provideIdToken("https://broker.example?a&b");
  expect(process.env[idTokenVariable]).toBe("the-id-token");
  const once = [
    "/token?api-version=2.0&audience=https%3A%2F%2Fbroker.example%3Fa%26b",
    "Bearer request-s3cret",
  ];
  expect(asked).toEqual([...once, ...once]);
});

test.each<[string, RequestListener]>([
  ["answers 403", (_, response) => void response.writeHead(403).end()],
  ["answers 307", (_, response) => void response.writeHead(307, { location: "/" }).end()],
  ["answers without a token", (_, response) => void response.end("{}")],
])("a service that %s is told by name, without the request's token", async (why, answer) => {
  await service(answer);
  const error = await provideIdToken("somebody").catch(String);
  expect(error).toContain(`No ID token could be had for audience "somebody": the service ${why}`);
  expect(error).not.toContain("s3cret");
  expect(process.env[idTokenVariable]).toBe("");
});
