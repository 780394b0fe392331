import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { proxyFor } from "../../../src/host/proxied-fetch.ts";

const names = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"].flatMap((name) => [
  name,
  name.toLowerCase(),
]);
const before = new Map(names.map((name) => [name, process.env[name]]));

let origin: Server;
let proxy: Server;
let asked: string[];

const portOf = (server: Server) => (server.address() as AddressInfo).port;

beforeAll(async () => {
  origin = createServer((_request, response) => response.end("from the origin"));
  // Every name leads to the origin, so that no name has to exist.
  proxy = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.end("from the proxy");
  });
  proxy.on("connect", (request, socket) => {
    asked.push(`CONNECT ${request.url}`);
    const upstream = connect(portOf(origin), "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      upstream.pipe(socket).pipe(upstream);
    });
    for (const each of [socket, upstream]) each.on("error", () => {});
  });
  for (const server of [origin, proxy]) await once(server.listen(0, "127.0.0.1"), "listening");
});
afterAll(() => {
  for (const server of [origin, proxy]) {
    server.closeAllConnections();
    server.close();
  }
});
beforeEach(() => {
  asked = [];
  for (const name of names) delete process.env[name];
});
afterEach(() => {
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

/** A fresh copy: the proxies are read once. */
async function fetched(url: string): Promise<string> {
  const { vi } = await import("vitest");
  vi.resetModules();
  const { proxiedFetch } = await import("../../../src/host/proxied-fetch.ts");
  return await (await proxiedFetch(new URL(url), {})).text();
}

test("a registry behind a proxy is reached through it", async () => {
  process.env.http_proxy = `http://127.0.0.1:${portOf(proxy)}`;
  expect(await fetched("http://registry.invalid/v2/")).toMatch(/^from the (origin|proxy)$/);
  expect(asked).toHaveLength(1);
  expect(asked[0]).toContain("registry.invalid");
});

test("TLS is tunnelled, and only the proxy hears the name", async () => {
  process.env.HTTPS_PROXY = `http://127.0.0.1:${portOf(proxy)}`;
  await expect(fetched("https://registry.invalid/v2/")).rejects.toThrow();
  expect(asked).toEqual(["CONNECT registry.invalid:443"]);
});

test("hosts of NO_PROXY and this machine are asked directly", async () => {
  process.env.HTTP_PROXY = `http://127.0.0.1:${portOf(proxy)}`;
  process.env.NO_PROXY = "near.invalid,.inside.invalid";
  for (const host of ["near.invalid", "a.inside.invalid"]) {
    await expect(fetched(`http://${host}/`)).rejects.toThrow();
  }
  expect(await fetched(`http://127.0.0.1:${portOf(origin)}/`)).toBe("from the origin");
  expect(await fetched(`http://localhost:${portOf(origin)}/`)).toBe("from the origin");
  expect(asked).toEqual([]);
});

test("which variable counts for which address", () => {
  const of = (url: string) => proxyFor(new URL(url));
  expect(of("https://registry.invalid/")).toBeNull();
  process.env.HTTP_PROXY = "http://p:1";
  expect(of("https://registry.invalid/")).toBe("HTTP_PROXY");
  process.env.https_proxy = "http://p:1";
  expect(of("https://registry.invalid/")).toBe("https_proxy");
  expect(of("http://registry.invalid/")).toBe("HTTP_PROXY");
  for (const host of ["127.9.9.9", "[::1]", "localhost", "a.localhost", "LOCALHOST."]) {
    expect(of(`http://${host}/`)).toBeNull();
  }
});
