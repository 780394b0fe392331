import { networkInterfaces } from "node:os";
import { describe, expect, test } from "vitest";
import { realClock } from "../../../src/base/op.ts";
import { parseAddress } from "../../../src/egress/address.ts";
import { classify } from "../../../src/egress/address-class.ts";
import { type Claim, checkRequest } from "../../../src/egress/agreement.ts";
import type { AuditLog } from "../../../src/egress/audit-log.ts";
import { decideFlow } from "../../../src/egress/decision.ts";
import { endpointsOf } from "../../../src/egress/flow.ts";
import { Gate } from "../../../src/egress/gate.ts";
import { HostLists } from "../../../src/egress/host-lists.ts";
import { readRequestHead } from "../../../src/egress/http-head.ts";
import { policyOf, rules } from "../../support/egress-policy.ts";
import { withNetwork, withServer } from "./guest-network.ts";

const ownAddress =
  Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .find(({ internal, family }) => !internal && family === "IPv4")?.address ?? "127.0.0.2";

/** Where no name may lead, listed or not: what is on the host itself, or hands out credentials of its machine. */
const never = [
  "127.0.0.1",
  "127.255.0.1",
  "0.0.0.0",
  "0.0.0.1",
  "169.254.1.1",
  "224.0.0.1",
  "::1",
  "::",
  "fe80::1",
  "ff02::1",
  // Clouds: common to most, containers and pods, Azure, Alibaba, Oracle, Google, Scaleway.
  "169.254.169.254",
  "169.254.170.2",
  "168.63.129.16",
  "100.100.100.200",
  "192.0.0.192",
  "fd00:ec2::254",
  "fd00:ec2::23",
  "fd20:ce::254",
  "fd00:c1::a9fe:a9fe",
  "fd00:42::42",
  // The same in other forms: mapped, NAT64, 6to4, Teredo, ISATAP.
  "::ffff:127.0.0.1",
  "::ffff:169.254.169.254",
  "::ffff:100.100.100.200",
  "64:ff9b::127.0.0.1",
  "64:ff9b::169.254.169.254",
  "64:ff9b::100.100.100.200",
  "2002:7f00:1::",
  "2002:a9fe:a9fe::1",
  "2002:6464:64c8::1",
  "2001:0:4136:e378:8000:63bf:5601:5601",
  "2606:4700::5efe:7f00:1",
  "2606:4700::5efe:a9fe:a9fe",
];

/** Where a name leads only when the user has listed it. */
const listedOnly = [
  "10.0.0.1",
  "172.16.0.1",
  "172.31.255.255",
  "192.168.0.1",
  "100.64.0.1",
  "192.0.2.1",
  "198.18.7.7",
  "240.0.0.1",
  "fd12::1",
  "fec0::1",
  "2001:db8::1",
  "::10.0.0.1",
  "::ffff:0:10.0.0.1",
  "64:ff9b:1::10.0.0.1",
  "::ffff:10.0.0.1",
  "64:ff9b::10.0.0.1",
  "2002:a00:1::",
  "2001:0:a00:1::",
  "2606:4700::200:5efe:a00:1",
  ownAddress,
];

function decided(text: string, allow: readonly string[]) {
  const address = parseAddress(text);
  if (address === null) throw new TypeError(`"${text}" is no address`);
  const kind = classify(address, new Set([ownAddress]));
  const to = { address, port: 443, kind, names: ["some.test"], standIn: false };
  return decideFlow("guarded", new HostLists(policyOf({ allow: rules(...allow) })), to);
}

test.each(never)("no name leads to %s, listed or not", (text) => {
  for (const allow of [[], ["some.test"], [".test"], ["some.test:443"]]) {
    expect(decided(text, allow)).toMatchObject({ allowed: false, internal: true });
  }
});

test.each(listedOnly)("a listed name alone leads to %s, and has to be named there", (text) => {
  expect(decided(text, [])).toMatchObject({ allowed: false, internal: true });
  expect(decided(text, ["other.test"])).toMatchObject({ allowed: false });
  expect(decided(text, ["some.test:80"])).toMatchObject({ allowed: false });
  expect(decided(text, ["some.test"])).toMatchObject({ allowed: true, mustName: ["some.test"] });
});

test.each([
  "2130706433",
  "0x7f000001",
  "0x7f.0.0.1",
  "017700000001",
  "0177.0.0.1",
  "127.0.0.01",
  "127.1",
  "127.0.1",
  "127.0.0.1.",
  " 127.0.0.1",
  "127.0.0.1%lo",
  "::1%lo",
  "[::1]",
  "0:0:0:0:0:0:0:1",
  "::ffff:127.0.0.1",
  "::FFFF:7F00:1",
  "0:0:0:0:0:ffff:7f00:0001",
  "::127.0.0.1",
  "64:ff9b::7f00:1",
  "１２７.0.0.1",
  "localhost",
  "localhost.",
  "ip6-localhost",
])("the destination %j does not reach this host", async (dst) => {
  let connections = 0;
  await withServer(
    () => {
      connections += 1;
    },
    (port) =>
      withNetwork({}, async (network) => {
        expect((await network.tcp(dst, port)).answer.ok).toBe(false);
      }),
  );
  expect(connections).toBe(0);
});

test("a name that changes its mind is judged by where it leads, each time", async () => {
  const answers = ["127.0.0.1", "10.0.0.7", "169.254.169.254", "::ffff:127.0.0.1", ownAddress];
  await withServer(
    (socket) => socket.end("reached"),
    (port) =>
      withNetwork(
        { names: { "mix.test": ["93.184.216.34", ...answers], "other.test": answers } },
        async (network) => {
          await network.lookUp("mix.test");
          await network.lookUp("other.test");
          for (const dst of answers) {
            const { answer } = await network.tcp(dst, port);
            expect(answer, dst).toMatchObject({ ok: false, code: "denied" });
          }
        },
      ),
  );
});

test("of an answer that mixes public and inside addresses, only public ones are tried instead", () => {
  const gate = new Gate({
    policy: policyOf({ hostMap: new Map([["mapped.test", { address: "127.0.0.1", port: null }]]) }),
    audit: { write: () => {} } as unknown as AuditLog,
    interceptor: null,
    clock: realClock,
  });
  // The first stand-in has the address 198.18.0.1; as an answer for another name it is a machine of somebody's.
  const inside = [
    "10.0.0.7",
    "127.0.0.1",
    "169.254.169.254",
    "::1",
    "64:ff9b::a00:7",
    "198.18.0.1",
  ];
  const texts = ["93.184.216.34", ...inside, ownAddress, "93.184.216.35"];
  const bytes = texts.map((text) => parseAddress(text)?.bytes ?? new Uint8Array());
  gate.noteAddresses("mix.test", bytes, 0);
  const first = parseAddress("93.184.216.34");
  if (first === null) throw new TypeError("No address");
  const to = gate.destination(first, 8080);
  const verdict = decideFlow(gate.mode, gate.lists, to);
  if (!verdict.allowed) throw new TypeError("A public address is denied");
  const tried = endpointsOf(gate, to, verdict).map(({ address }) => address.text);
  expect(tried).toEqual(["93.184.216.34", "93.184.216.35"]);
});

describe("an inside proxy that is listed", () => {
  const claim: Claim = {
    address: parseAddress("10.0.0.8"),
    port: 3128,
    mustName: ["proxy.test"],
    anyProtocol: false,
    bestName: "proxy.test",
    strict: false,
    own: new Set([ownAddress]),
    gave: (name) => name === "proxy.test",
  };
  const lists = new HostLists(policyOf({ allow: rules("proxy.test", "10.0.0.9") }));
  const asks = (target: string) => {
    const text = `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`;
    const reading = readRequestHead(Buffer.from(text, "latin1"));
    return reading.kind === "request" && checkRequest(reading.head, claim, lists).agreed;
  };

  test.each(["public.test:443", "93.184.216.34:443", "10.0.0.9:443", "0x.test:80", "1.a:80"])(
    "may be asked for %s",
    (target) => expect(asks(target)).toBe(true),
  );

  test.each([
    "127.0.0.1:22",
    "10.0.0.1:443",
    "[::1]:22",
    "[::ffff:127.0.0.1]:22",
    "[64:ff9b::7f00:1]:22",
    "2130706433:22",
    "0x7f000001:22",
    "0x7f.1:22",
    "0177.0.0.1:22",
    "127.1:22",
    "127.0.0.01:22",
    "a.127.1:22",
    "localhost:22",
    "LOCALHOST.:22",
    "x.localhost:22",
    "localhost.localdomain:22",
    "169.254.169.254:80",
    "2852039166:80",
  ])("may not be asked for %s", (target) => expect(asks(target)).toBe(false));
});
