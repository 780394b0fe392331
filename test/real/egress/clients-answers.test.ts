import { execFileSync } from "node:child_process";
import type { ServerResponse } from "node:http";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openClientGate } from "../../fixtures/client-gate.ts";
import { exampleRule, host } from "../../fixtures/swap-gate.ts";
import { startWeb, type WebOptions, type WebServer } from "../../fixtures/web-server.ts";
import { curl, startCurl } from "../../support/client-program.ts";

const text = Array.from({ length: 5_000 }, (_, at) => `line ${at}\n`).join("");
const coded: Readonly<Record<string, Buffer>> = {
  gzip: gzipSync(text),
  br: brotliCompressSync(text),
  zstd: execFileSync("zstd", ["-c", "-q"], { input: text }),
};

/** The streams of events that are open, each of which waits for its next event. */
let streams: ServerResponse[] = [];

/** Encodes whatever a request would accept, and tells events when the test says so. */
const instead: WebOptions["instead"] = (request, response) => {
  const coding = request.url?.slice(1) ?? "";
  const answer = response as ServerResponse;
  if (coding === "events") {
    answer.writeHead(200, { "content-type": "text/event-stream" }).write("data: 1\n\n");
    streams = [...streams, answer];
    return true;
  }
  const bytes = coded[coding];
  if (bytes === undefined) return false;
  answer.writeHead(200, { "content-encoding": coding, "content-type": "text/plain" }).end(bytes);
  return true;
};

let plain: WebServer;
let secure: WebServer;
beforeAll(async () => {
  plain = await startWeb({ speaks: "http", instead });
  secure = await startWeb({ speaks: "https", instead });
});
afterAll(async () => {
  for (const server of [plain, secure]) await server?.[Symbol.asyncDispose]();
});

const name = "answers.example.test";
const listed = (server: WebServer) =>
  openClientGate({ places: { [name]: server.port }, allow: [name] });

const ways = [
  { way: "without TLS", url: `http://${name}`, open: () => listed(plain) },
  { way: "over TLS", url: `https://${name}`, open: () => listed(secure) },
  {
    way: "through the swap",
    url: `https://${host}`,
    open: () =>
      openClientGate({ places: { [host]: secure.port }, allow: [], swaps: [exampleRule] }),
  },
] as const;

describe.each(ways)("$way", ({ url, open }) => {
  const versions = url.startsWith("https") ? ["--http1.1", "--http2"] : ["--http1.1"];

  test("answers in gzip, Brotli and zstd come whole", async () => {
    await using gate = await open();
    for (const version of versions) {
      for (const coding of Object.keys(coded)) {
        const got = await curl(gate, `${url}/${coding}`, [version, "--compressed"]);
        expect(got.code, got.stderr).toBe(0);
        expect(got.stdout === text, `${version} ${coding}`).toBe(true);
      }
    }
    expect((await gate.audit()).complaints).toEqual([]);
  });

  test("an event arrives before its server says the next one", async () => {
    await using gate = await open();
    for (const version of versions) {
      streams = [];
      const client = await startCurl(gate, `${url}/events`, [version, "-N"]);
      for (const number of [1, 2, 3]) {
        await client.printed(new RegExp(`data: ${number}\n\n`));
        if (number < 3) streams[0]?.write(`data: ${number + 1}\n\n`);
      }
      streams[0]?.end();
      expect(await client.code).toBe(0);
      expect(client.stdout()).toBe("data: 1\n\ndata: 2\n\ndata: 3\n\n");
    }
    expect((await gate.audit()).complaints).toEqual([]);
  });
});
