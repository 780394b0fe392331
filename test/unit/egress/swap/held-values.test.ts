import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { limits } from "../../../../src/base/limits.ts";
import { realClock } from "../../../../src/base/op.ts";
import { Credential } from "../../../../src/egress/swap/credential.ts";
import { EchoGuard } from "../../../../src/egress/swap/redactor.ts";
import { Remembered } from "../../../../src/egress/swap/remembered.ts";
import type { SwapRule } from "../../../../src/egress/swap/rule.ts";
import { gateTo } from "../../../fixtures/gate-to.ts";
import {
  exampleRule,
  getH1,
  guestTls,
  host,
  realKey,
  upstreamH1,
  world,
} from "../../../fixtures/swap-gate.ts";

/** A token server that gives another token each time, and a rule for the host that uses it. */
async function tokens(): Promise<{ rule: SwapRule; readonly given: string[] }> {
  const given: string[] = [];
  const server = createServer(
    { SNICallback: (name, done) => done(null, world.contextFor(name)) },
    (message, response) => {
      message.resume();
      given.push(`token-number-${given.length}-of-the-server`);
      response.end(JSON.stringify({ access_token: given.at(-1), expires_in: 3600 }));
    },
  );
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const rule: SwapRule = {
    name: "tokens",
    type: "oauth2-cc",
    domains: [host],
    header: "Authorization",
    format: "Bearer {key}",
    tokenUrl: `https://localhost:${(server.address() as AddressInfo).port}/token`,
    tokenField: "access_token",
    tokenTtlSeconds: null,
    clientIdRef: "env:ID",
    clientSecretRef: "env:SECRET",
    scopes: [],
  };
  return { rule, given };
}

const other = {
  ...exampleRule,
  name: "other",
  domains: ["static.example.test"],
  keyRef: "env:KEY",
};

test("seventy refusals of a token do not ask the token server seventy times", async () => {
  const { rule, given } = await tokens();
  const gate = await gateTo(
    upstreamH1((message, response) => {
      if (message.url === "/refused") return void response.writeHead(401).end();
      response.end(`${realKey} ${given.join(" ")}`);
    }),
    { rules: [rule, other], resolveSecret: async () => Buffer.from(realKey) },
  );
  for (let i = 0; i < 70; i++) {
    expect((await getH1(gate, { path: "/refused" })).status).toBe(401);
  }
  expect(given.length).toBeLessThanOrEqual(limits.swap.fetchesPerMinute);
  const answer = await getH1(gate, { path: "/echo" });
  for (const token of given) expect(answer.body).not.toContain(token);
  const limited = gate.events.filter(({ reason }) => reason.includes("limited"));
  expect(limited.length).toBeGreaterThan(0);
  expect(limited.length).toBeLessThan(given.length + 2);
  expect(JSON.stringify(gate.events)).not.toContain("token-number");
});

test("no number of values that were sent pushes out one that is held", () => {
  let now = 0;
  const remembered = new Remembered({ ...realClock, monotonic: () => now });
  const guard = new EchoGuard(
    () => remembered.automaton(),
    () => {},
  );
  const credential = (value: string) => new Credential(exampleRule, value);
  remembered.hold(credential(realKey));
  for (let i = 0; i < 70; i++) remembered.hold(credential(`token-${i}-of-the-server`))();
  expect(guard.text(realKey)).toMatch(/^\*+$/);
  expect(guard.text("token-0-of-the-server")).toMatch(/^\*+$/);
  now = limits.swap.rememberedMs + 1;
  remembered.hold(credential("another-value"));
  expect(guard.text(realKey)).toMatch(/^\*+$/);
  expect(guard.text("token-0-of-the-server")).toBe("token-0-of-the-server");
});

test("a key that is put in while an answer is on its way is looked for in the rest of it", async () => {
  const { rule, given } = await tokens();
  let log: (text: string) => void = () => {};
  const gate = await gateTo(
    upstreamH1((message, response) => {
      if (message.url === "/log") {
        response.write("first\n");
        log = (text) => response.end(text);
      } else {
        response.writeHead(401).end();
        log(`later ${message.headers.authorization}`);
      }
    }),
    { rules: [rule] },
  );
  const socket = await guestTls(gate, { ALPNProtocols: ["http/1.1"] });
  socket.write(`GET /log HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  await once(socket, "readable");
  await getH1(gate, { path: "/401" });
  await getH1(gate, { path: "/401-again" }).catch(() => {});
  let text = "";
  for await (const part of socket) text += (part as Buffer).toString("latin1");
  expect(text).toContain("later Bearer ****");
  for (const token of given) expect(text).not.toContain(token);
});

test.each([
  ["of the pair", "alice:correct-horse-battery"],
  ["of the password", "correct-horse-battery"],
])(
  "the text %s in a Basic credential that is given encoded does not come back",
  async (_, text) => {
    const encoded = Buffer.from("alice:correct-horse-battery").toString("base64");
    const gate = await gateTo(
      upstreamH1((_message, response) => void response.end(`you are ${text}`)),
      {
        rules: [{ ...exampleRule, format: "Basic {key}" }],
        resolveSecret: async () => Buffer.from(encoded),
      },
    );
    expect((await getH1(gate)).body).toBe(`you are ${"*".repeat(text.length)}`);
  },
);
