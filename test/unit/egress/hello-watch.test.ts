import { expect, test } from "vitest";
import { HelloWatch } from "../../../src/egress/hello-watch.ts";
import { type Hello, helloMessage, plainHello, record, records } from "../../fixtures/hello.ts";

const bytes = (text: string) => Buffer.from(text, "latin1");
const first = records(helloMessage(plainHello), 16_384);
const secondFor = (change: Partial<Hello>) =>
  records(helloMessage({ ...plainHello, share: "p384", ...change }), 16_384, "\x03\x03");
const changed = record("\x01", 20);
const retryRandom = Buffer.from(
  "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c",
  "hex",
).toString("latin1");
const serverHello = (random: string) => record(`\x02\0\0\x46\x03\x03${random}${"\0".repeat(36)}`);

/** Pieces of the guest; "< " begins one of the server. */
function run(...pieces: readonly string[]) {
  const refused: unknown[] = [];
  const watch = new HelloWatch(bytes(first), "good.test", (why) => refused.push(why));
  let out = "";
  for (const piece of [first, ...pieces]) {
    if (piece.startsWith("< ")) {
      watch.answer(bytes(piece.slice(2)));
      continue;
    }
    const free = watch.take(bytes(piece));
    if (free === null) return { out, refused, ended: true };
    out += Buffer.from(free).toString("latin1");
  }
  return { out, refused, ended: false };
}

const retry = `< ${serverHello(retryRandom)}`;
const answer = `< ${serverHello("r".repeat(32))}`;

test("a second ClientHello for the same host passes, whole and byte by byte, and everything behind it", () => {
  const rest = changed + secondFor({}) + record("data", 23);
  expect(run(retry, rest)).toEqual({ out: first + rest, refused: [], ended: false });
  expect(run(retry, ...rest)).toEqual({ out: first + rest, refused: [], ended: false });
});

test.each([
  ["another host", { names: ["evil.test"] }, "evil.test"],
  ["no host", { names: null }, null],
  ["two hosts", { names: ["good.test", "evil.test"] }, { kind: "malformed" }],
])("a second ClientHello for %s ends the connection, asked for or not", (_what, change, why) => {
  for (const before of [[retry], []]) {
    const outcome = run(...before, changed + secondFor(change));
    expect(outcome).toMatchObject({ ended: true, out: first });
    expect(outcome.refused).toEqual([
      why !== null && typeof why === "object" ? expect.objectContaining(why) : why,
    ]);
  }
});

test("early data and a key exchange of TLS 1.2 pass, and after the server's answer nothing is read", () => {
  const early = record("early", 23) + changed + record("more", 23);
  expect(run(early)).toMatchObject({ out: first + early, ended: false });
  const exchange = record("\x10\0\0\x01x");
  expect(run(exchange, secondFor({ names: ["evil.test"] }))).toMatchObject({ ended: false });
  const after = `${record("\x01anything", 22)}no record`;
  expect(run(answer, after)).toMatchObject({ out: first + after, ended: false });
  expect(run(...[...answer.slice(2)].map((byte) => `< ${byte}`), after)).toMatchObject({
    ended: false,
  });
});
