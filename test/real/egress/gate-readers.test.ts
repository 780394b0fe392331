import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cut, type GateCase, httpCases, tlsCases } from "../../fixtures/gate-cases/cases.ts";
import { keptCases } from "../../fixtures/gate-cases/kept.ts";
import {
  type GateInProcess,
  openGateInProcess,
  type Step,
} from "../../fixtures/gate-in-process.ts";
import { type Reader, type Readers, type Reading, startReaders } from "../../fixtures/readers.ts";

/**
 * The law: whatever the gate lets pass, no server reads as a request for, or a handshake with, a host that is not listed. Excepted
 * is HTTP/2 without TLS where a rule names the port: the gate does not read it, and says so.
 */
// One seed, so that the suite tests the same each day; "npm run fuzz:gate" takes another each time.
const seed = Number(process.env.GATE_SEED ?? 805_168_888);
const cases = Number(process.env.GATE_CASES ?? 20_000);
const atOnce = 96;

/** The port that the guest connects to; each name leads to the port of its server. */
const port = 8081;
const placeNames = ["nginx", "apache", "lighttpd", "haproxy", "haproxy-tls", "squid"];
const ownNames = ["go", "go-tls", "node", "node-tls", "python", "python-tls", "openssl"];
const readerNames = [...placeNames, ...ownNames];
/** Each server has a name that is listed, and one that is listed with its port. All are as long as the placeholders of the cases. */
const bare = (reader: string) => `r${String(readerNames.indexOf(reader)).padStart(2, "0")}a.test`;
const withPort = (reader: string) =>
  `r${String(readerNames.indexOf(reader)).padStart(2, "0")}p.test`;
const listed = readerNames.flatMap((name) => [bare(name), withPort(name)]);

let readers: Readers;
let gate: GateInProcess;
beforeAll(async () => {
  readers = await startReaders(listed);
  const places = readers.all.flatMap((reader) => [
    [bare(reader.name), reader.port],
    [withPort(reader.name), reader.port],
  ]);
  const allow = readers.all.flatMap(({ name }) => [bare(name), `${withPort(name)}:${port}`]);
  gate = await openGateInProcess(Object.fromEntries(places), allow);
});
afterAll(async () => {
  await gate?.[Symbol.asyncDispose]();
  await readers?.[Symbol.asyncDispose]();
});

/** A name that nobody listed, and that tells the case. */
const otherName = (number: number) => `e${number.toString(36).padStart(4, "0")}.evl`;
const numberOf = ({ line }: Reading) =>
  Number.parseInt(/e([0-9a-z]{4})\.evl/i.exec(line)?.[1] ?? "-1", 36);

function addressed(text: string, own: string, other: string): string {
  const named = text.replace(/good\.test/gi, (as) =>
    as === "good.test" ? own : own.toUpperCase(),
  );
  return named.replaceAll("evil.test", other);
}

async function converse(reader: Reader, { named, steps, pieces }: GateCase, number: number) {
  const own = named ? withPort(reader.name) : bare(reader.name);
  const said = steps.map((step) =>
    typeof step === "string" ? addressed(step, own, otherName(number)) : step,
  );
  return await gate.converse(own, port, cut(said, pieces));
}

const isUnlisted = ({ host }: Reading) => host !== "" && !listed.includes(host);
const http2 = (steps: readonly Step[]) =>
  /^\s*PRI \* HTTP\/2\.0\r\n\r\nSM\r\n\r\n/.test(steps.join(""));

const speaking = (...kinds: readonly Reader["speaks"][]) =>
  readers.all.filter(({ speaks }) => kinds.includes(speaks));

test("what fell once is broken off, whoever serves, with the port listed or not", async () => {
  await readers.readings();
  const passed: string[] = [];
  for (const [number, { what, tls, asksAgain, steps }] of keptCases.entries()) {
    for (const reader of tls === true ? speaking("tls") : speaking("http", "proxy")) {
      // haproxy reads the first ClientHello alone.
      const goesOn = asksAgain !== true || reader.name !== "haproxy-tls";
      for (const named of [false, true]) {
        const { broken } = await converse(reader, { steps, named, pieces: 0 }, number);
        if (!broken && goesOn)
          passed.push(`${what}, to ${reader.name}${named ? " with its port" : ""}`);
      }
    }
  }
  const read = (await readers.readings()).filter(isUnlisted);
  expect({
    passed,
    read: read.map((one) => `${keptCases[numberOf(one)]?.what}: ${one.reader}: ${one.line}`),
  }).toEqual({
    passed: [],
    read: [],
  });
});

test(`${cases} cases from seed ${seed} reach no host that is not listed`, async () => {
  await readers.readings();
  const perKind = Math.ceil(cases / 2);
  const http = fc.sample(httpCases, { seed, numRuns: perKind });
  const tls = fc.sample(tlsCases, { seed, numRuns: cases - perKind });
  const plain = speaking("http", "proxy");
  const secure = speaking("tls");
  const work = [
    ...http.map((one, at) => ({ one, reader: plain[at % plain.length] })),
    ...tls.map((one, at) => ({ one, reader: secure[at % secure.length] })),
  ];
  let next = 0;
  let broken = 0;
  const worker = async () => {
    for (let at = next++; at < work.length; at = next++) {
      const { one, reader } = work[at] ?? {};
      if (one === undefined || reader === undefined || http2(one.steps)) continue;
      if ((await converse(reader, one, at)).broken) broken += 1;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  const read = await readers.readings();
  const found = read.filter(isUnlisted).map((one) => {
    const at = numberOf(one);
    return { reader: one.reader, line: one.line, case: work[at]?.one };
  });
  expect(found.slice(0, 20), `GATE_SEED=${seed}: ${found.length} readings`).toEqual([]);
  // The law holds for a gate that lets nothing pass as well: every server has to have served what is listed.
  const served = new Set(read.map(({ reader }) => reader));
  expect([...served].sort()).toEqual(
    [...new Set(readers.all.map(({ name }) => logName(name)))].sort(),
  );
  expect(broken).toBeLessThan(work.length);
});

/** Some servers write one log for both of their ports. */
function logName(name: string): string {
  return name === "openssl" ? name : name.replace(/-tls$/, "");
}
