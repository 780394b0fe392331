import { networkInterfaces } from "node:os";
import fc from "fast-check";
import { expect, test } from "vitest";
import { realClock } from "../../../src/base/op.ts";
import { type Address, addressOf, parseAddress } from "../../../src/egress/address.ts";
import { classify, unwrapped } from "../../../src/egress/address-class.ts";
import { OwnAddresses } from "../../../src/egress/own-addresses.ts";

function parsed(text: string): Address {
  const address = parseAddress(text);
  if (address === null) throw new TypeError(`"${text}" is no address`);
  return address;
}

const nobody: ReadonlySet<string> = new Set();

test.each([
  ["0.0.0.0", "unspecified"],
  ["0.1.2.3", "unspecified"],
  ["127.0.0.1", "loopback"],
  ["127.255.255.254", "loopback"],
  ["10.0.0.1", "private"],
  ["172.15.255.255", "public"],
  ["172.16.0.0", "private"],
  ["172.31.255.255", "private"],
  ["172.32.0.0", "public"],
  ["192.168.1.1", "private"],
  ["169.254.169.254", "metadata"],
  ["169.254.1.1", "link-local"],
  ["168.63.129.16", "metadata"],
  ["100.63.255.255", "public"],
  ["100.64.0.0", "shared"],
  ["100.127.255.255", "shared"],
  ["100.128.0.0", "public"],
  ["192.0.0.191", "reserved"],
  ["192.0.0.192", "metadata"],
  ["100.100.100.199", "shared"],
  ["100.100.100.200", "metadata"],
  ["192.0.2.1", "reserved"],
  ["198.18.0.1", "reserved"],
  ["198.19.255.255", "reserved"],
  ["198.51.100.1", "reserved"],
  ["203.0.113.1", "reserved"],
  ["224.0.0.1", "multicast"],
  ["239.255.255.255", "multicast"],
  ["240.0.0.1", "reserved"],
  ["255.255.255.255", "reserved"],
  ["8.8.8.8", "public"],
  ["::", "unspecified"],
  ["::1", "loopback"],
  ["fe80::1", "link-local"],
  ["febf::1", "link-local"],
  ["fec0::1", "private"],
  ["fc00::1", "private"],
  ["fdff::1", "private"],
  ["fd00:ec2::254", "metadata"],
  ["fd00:ec2::23", "metadata"],
  ["fd20:ce::253", "private"],
  ["fd20:ce::254", "metadata"],
  ["fd00:c1::a9fe:a9fe", "metadata"],
  ["fd00:42::42", "metadata"],
  ["fd00:42::43", "private"],
  ["ff02::1", "multicast"],
  ["2001:db8::1", "reserved"],
  ["3fff::1", "reserved"],
  ["100::1", "reserved"],
  ["2606:4700::1111", "public"],
  ["::ffff:10.0.0.1", "private"],
  ["::ffff:7f00:1", "loopback"],
  ["::ffff:8.8.8.8", "public"],
  ["::10.0.0.1", "reserved"],
  ["64:ff9b::a9fe:a9fe", "metadata"],
  ["64:ff9b::808:808", "public"],
  ["64:ff9b:1::808:808", "reserved"],
  ["2002:7f00:1::", "loopback"],
  ["2002:0a00:0001::1", "private"],
  ["2002:808:808::1", "public"],
  // Teredo: the server, and the client turned over.
  ["2001:0:0a00:0001::", "private"],
  ["2001:0:4136:e378:8000:63bf:5601:5601", "metadata"],
  ["2001:0:4136:e378:8000:63bf:f7f7:f7f7", "public"],
  ["2606:4700::5efe:a00:1", "private"],
  ["2606:4700::200:5efe:808:808", "public"],
])("%s is %s", (text, kind) => {
  expect(classify(parsed(text), nobody)).toBe(kind);
});

test("a host's own public address is inside, in every form", () => {
  const own = new Set(["93.184.216.34", "2606:4700::99"]);
  for (const text of [
    "93.184.216.34",
    "::ffff:93.184.216.34",
    "64:ff9b::5db8:d822",
    "2002:5db8:d822::1",
    "2606:4700:0:0::99",
  ]) {
    expect(classify(parsed(text), own)).toBe("own");
  }
  expect(classify(parsed("93.184.216.35"), own)).toBe("public");
});

test("the addresses of this host's interfaces are its own", () => {
  const own = new OwnAddresses(realClock).texts;
  for (const list of Object.values(networkInterfaces())) {
    for (const { address } of list ?? [])
      expect(own.has(parsed(address.split("%")[0] ?? "").text)).toBe(true);
  }
  expect(own.size).toBeGreaterThan(0);
});

test("an address has one text, whatever its spelling", () => {
  for (const [spelling, text] of [
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["::ffff:1.2.3.4", "::ffff:102:304"],
    ["0:0:0:0:0:0:0:0", "::"],
  ] as const) {
    expect(parsed(spelling).text).toBe(text);
  }
  for (const text of [
    "127.1",
    "0x7f.0.0.1",
    "010.0.0.1",
    "1.2.3.4.5",
    "fe80::1%eth0",
    "",
    "::1::",
  ]) {
    expect(parseAddress(text)).toBeNull();
  }
  const sixteen = fc.uint8Array({ minLength: 16, maxLength: 16 });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), sixteen), (bytes) => {
      const { text } = addressOf(bytes);
      expect(parsed(text)).toEqual(addressOf(bytes));
    }),
  );
});

test("no wrapping makes an inside address public", () => {
  const inside = fc.constantFrom(
    "10.1.2.3",
    "127.0.0.1",
    "169.254.169.254",
    "192.168.0.9",
    "100.64.3.4",
  );
  fc.assert(
    fc.property(inside, fc.uint8Array({ minLength: 10, maxLength: 10 }), (text, noise) => {
      const four = [...parsed(text).bytes];
      const forms = [
        [...new Array(10).fill(0), 0xff, 0xff, ...four],
        [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, ...four],
        [0x20, 0x02, ...four, ...noise],
        [0x20, 0x01, 0, 0, ...four, ...noise.slice(0, 8)],
        [0x20, 0x01, 0, 0, ...noise.slice(0, 8), ...four.map((value) => value ^ 0xff)],
      ];
      for (const form of forms) {
        expect(classify(addressOf(Uint8Array.from(form)), nobody)).not.toBe("public");
      }
    }),
  );
  expect(unwrapped(parsed("::ffff:10.0.0.1")).text).toBe("10.0.0.1");
});
