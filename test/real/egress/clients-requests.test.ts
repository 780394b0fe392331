import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ClientGate, openClientGate } from "../../fixtures/client-gate.ts";
import { exampleRule, host } from "../../fixtures/swap-gate.ts";
import { startWeb, type WebOptions, type WebServer } from "../../fixtures/web-server.ts";
import { curl } from "../../support/client-program.ts";
import { opened, saidTo } from "../../support/said-to.ts";

/** Says the trailers of a request, or where to look instead. */
const instead: WebOptions["instead"] = (request, response) => {
  if (request.url === "/redirect") {
    response.writeHead(302, { location: "/a" }).end();
    return true;
  }
  if (request.url !== "/trailers") return false;
  let body = "";
  request.on("data", (piece: Buffer) => {
    body += piece.toString("latin1");
  });
  request.on("end", () => response.end(`${body} ${JSON.stringify(request.trailers)}\n`));
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

const name = "requests.example.test";

const ways = [
  {
    way: "plainly",
    of: name,
    scheme: "http",
    port: 80,
    versions: [["--http1.1", "1.1"]],
    open: () => openClientGate({ places: { [name]: plain.port }, allow: [name] }),
  },
  {
    way: "through the swap",
    of: host,
    scheme: "https",
    port: 443,
    versions: [
      ["--http1.1", "1.1"],
      ["--http2", "2"],
    ],
    open: () =>
      openClientGate({ places: { [host]: secure.port }, allow: [], swaps: [exampleRule] }),
  },
] as const;

describe.each(ways)("$way", ({ of, scheme, port, versions, open }) => {
  /** What one connection answers to these bytes, whose last request closes it. */
  async function answersTo(gate: ClientGate, text: string): Promise<string> {
    const tls = scheme === "https" ? { name: of, caFile: gate.caFile } : undefined;
    return await saidTo(await opened(await gate.entrance(of, port), tls), [text], "stays open");
  }

  test("three requests at once are answered in their order", async () => {
    await using gate = await open();
    const requests = [1, 2, 3].map((at) => {
      const close = at === 3 ? "Connection: close\r\n" : "";
      return `GET /${at} HTTP/1.1\r\nHost: ${of}\r\n${close}\r\n`;
    });
    const got = await answersTo(gate, requests.join(""));
    expect(got.match(/GET \/\d HTTP\/1\.1 0/g), got).toEqual(
      [1, 2, 3].map((at) => `GET /${at} HTTP/1.1 0`),
    );
    expect((await gate.audit()).complaints).toEqual([]);
  });

  test("a body in chunks, with an extension and trailers, arrives", async () => {
    await using gate = await open();
    const head = `POST /trailers HTTP/1.1\r\nHost: ${of}\r\nConnection: close\r\n`;
    const fields = "Transfer-Encoding: chunked\r\nTrailer: X-End\r\n";
    const body = '5;a="b;c"\r\nhello\r\n0\r\nX-End: yes\r\n\r\n';
    const got = await answersTo(gate, `${head}${fields}\r\n${body}`);
    expect(got).toContain('hello {"x-end":"yes"}\n');
    expect((await gate.audit()).complaints).toEqual([]);
  });

  test("curl uploads in chunks, and follows a redirect", async () => {
    await using gate = await open();
    for (const [option, version] of versions) {
      const chunked = ["-H", "Transfer-Encoding: chunked", "-d", "hello"];
      const posted = await curl(gate, `${scheme}://${of}/`, [option, ...chunked]);
      expect(posted.stdout, posted.stderr).toMatch(/^POST \/ HTTP\/[12]\.[01] 5\n$/);
      const words = [option, "-L", "-w", "%{http_code} %{num_redirects} %{http_version}"];
      const got = await curl(gate, `${scheme}://${of}/redirect`, words);
      expect(got.stdout.split("\n").at(-1), got.stderr).toBe(`200 1 ${version}`);
      expect(got.stdout).toContain("GET /a ");
    }
    expect((await gate.audit()).complaints).toEqual([]);
  });

  test("methods of WebDAV and SSDP, and Hosts in capitals, with a dot, with a port, are requests for the host", async () => {
    await using gate = await open();
    for (const [line, named] of [
      ["PROPFIND /", of],
      ["M-SEARCH *", of],
      ["GET /", of.toUpperCase()],
      ["GET /", `${of}.`],
      ["GET /", `${of}:${port}`],
    ] as const) {
      const request = `${line} HTTP/1.1\r\nHost: ${named}\r\nConnection: close\r\n\r\n`;
      expect(await answersTo(gate, request), request).toContain(`${line} HTTP/1.1 0\n`);
    }
    expect((await gate.audit()).complaints).toEqual([]);
  });
});
