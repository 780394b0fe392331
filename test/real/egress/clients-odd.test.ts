import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ClientGate, openClientGate } from "../../fixtures/client-gate.ts";
import { type OddServer, startOdd } from "../../fixtures/odd-server.ts";
import { exampleRule, host } from "../../fixtures/swap-gate.ts";
import { curl } from "../../support/client-program.ts";
import { opened, saidTo } from "../../support/said-to.ts";

const bare = "odd.example.test";
const withPort = "text.example.test";

let dir: string;
let plain: OddServer;
let secure: OddServer;
let upload: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-odd-"));
  plain = await startOdd(false);
  secure = await startOdd(true);
  upload = join(dir, "upload");
  await writeFile(upload, "");
  // Holes are sent as zeros.
  await truncate(upload, 100_000_000);
});
afterAll(async () => {
  await plain?.[Symbol.asyncDispose]();
  await secure?.[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

const places = () => ({ [bare]: plain.port, [withPort]: plain.port });

/** How an answer comes to its reader: code of curl, status, body. */
type Came = readonly [number | null, string];

async function came(
  gate: ClientGate,
  url: string,
  path: string,
  args: readonly string[],
): Promise<Came> {
  const got = await curl(gate, url + path, ["-w", "%{http_code}", ...args]);
  return [got.code, got.stdout];
}

/** Rows of one table, asked plainly in `strict` and through the swap: path, what curl is told, what it prints. */
const rows: readonly (readonly [string, readonly string[], string])[] = [
  ["/folded", [], "body\n200"],
  ["/twice", [], "body\n200"],
  ["/line-feeds", [], "body\n200"],
  ["/to-the-end", [], "body\n200"],
  ["/1.0", [], "body\n200"],
  ["/1.0-keep", ["--http1.0", "-H", "Connection: keep-alive"], "body\n200"],
  ["/early-hints", [], "body\n200"],
  ["/trailers", [], "body\n200"],
  ["/none", [], "204"],
  ["/unchanged", ["-H", 'If-None-Match: "a"'], "304"],
  ["/partial", ["-r", "0-4"], "body\n206"],
  ["/head", ["-I"], "200"],
  ["/events", ["-N"], "data: 1\n\ndata: 2\n\ndata: 3\n\n200"],
  ["/continue", ["-H", "Expect: 100-continue", "-d", "hello"], "hello200"],
];

test.each(rows)(
  "an odd answer comes whole, plainly and through the swap: %s",
  async (path, args, printed) => {
    const head = path === "/head";
    const shown = ([code, text]: Came) => ({ code, text: head ? text.slice(-3) : text });
    {
      await using gate = await openClientGate({ places: places(), allow: [bare] });
      const got = await came(gate, `http://${bare}:8081`, path, args);
      expect(shown(got)).toEqual({ code: 0, text: printed });
      expect((await gate.audit()).complaints).toEqual([]);
    }
    await using gate = await openClientGate({
      places: { [host]: secure.port },
      allow: [],
      swaps: [exampleRule],
    });
    for (const version of ["--http1.1", "--http2"]) {
      const given = args.includes("--http1.0") ? args : [version, ...args];
      expect(shown(await came(gate, `https://${host}`, path, given))).toEqual({
        code: 0,
        text: printed,
      });
    }
    expect((await gate.audit()).complaints).toEqual([]);
  },
);

test("an answer before the end of an upload comes whole, plainly and through the swap", async () => {
  const args = ["-H", "Expect:", "-T", upload];
  {
    await using gate = await openClientGate({ places: places(), allow: [bare] });
    expect((await came(gate, `http://${bare}:8081`, "/early", args))[1]).toBe("body\n413");
    expect((await gate.audit()).complaints).toEqual([]);
  }
  await using gate = await openClientGate({
    places: { [host]: secure.port },
    allow: [],
    swaps: [exampleRule],
  });
  for (const version of ["--http1.1", "--http2"]) {
    const [, text] = await came(gate, `https://${host}`, "/early", [version, ...args]);
    expect(text, version).toBe("body\n413");
  }
  expect((await gate.audit()).complaints).toEqual([]);
});

/** What an entrance answers to these bytes, or "reset". */
const said = async (port: number, text: string) => await saidTo(await opened(port), [text]);

test.each(["X_Y", "GET2"])("method %s is a request: another Host is refused", async (method) => {
  await using gate = await openClientGate({
    places: places(),
    allow: [bare, `${withPort}:8081`],
  });
  const from = plain.heads.length;
  for (const name of [bare, withPort]) {
    const request = `${method} /a HTTP/1.1\r\nHost: other.example.test\r\n\r\n`;
    expect(await said(await gate.entrance(name, 8081), request)).toBe("reset");
  }
  expect(plain.heads.length).toBe(from);
  const { lines, summary } = await gate.audit();
  const denied = lines.filter(({ event }) => event === "egress_deny");
  expect(denied.map(({ signal, reason }) => `${signal}: ${reason}`)).toEqual(
    [bare, withPort].map(
      (name) => `name-destination-mismatch: HTTP asks for "other.example.test", wanted "${name}"`,
    ),
  );
  expect(summary.allowable).toEqual([]);
});
