import { expect, test } from "vitest";
import { interfaceAddress, resolverAddress } from "../../../src/spec/guest-addresses.ts";
import { addressNumber, addressText } from "../../../src/spec/ip-network.ts";

const none = { ip: null, subnet: null, gateway: null };

test.each([
  [{}, "10.0.2.15/24", "10.0.2.2", "10.0.2.3"],
  [{ ip: "10.0.2.9" }, "10.0.2.9/24", "10.0.2.2", "10.0.2.3"],
  [{ ip: "10.0.2.2" }, "10.0.2.2/24", "10.0.2.1", "10.0.2.3"],
  [{ ip: "10.0.2.3" }, "10.0.2.3/24", "10.0.2.2", "10.0.2.2"],
  [{ ip: "192.168.7.20" }, "192.168.7.20/24", "192.168.7.2", "192.168.7.3"],
  [{ gateway: "172.16.0.1" }, "172.16.0.15/24", "172.16.0.1", "172.16.0.3"],
  [{ subnet: "10.9.0.0/16" }, "10.9.0.15/16", "10.9.0.2", "10.9.0.3"],
  [{ subnet: "10.9.0.77/30" }, "10.9.0.77/30", "10.9.0.78", "10.9.0.78"],
])("IPv4 %j", (written, address, gateway, dns) => {
  const got = interfaceAddress({ ...none, ...written }, 32);
  expect(got).toEqual({ address, gateway });
  expect(resolverAddress({ address, gateway })).toBe(dns);
});

test.each([
  [{}, "fd6d:6167:656e:7400::15/64", "fd6d:6167:656e:7400::2"],
  [{ ip: "fd00:0:0::9" }, "fd00:0:0::9/64", "fd00::2"],
  [{ subnet: "fd01::/48", gateway: "fd01::1" }, "fd01::15/48", "fd01::1"],
])("IPv6 %j", (written, address, gateway) => {
  expect(interfaceAddress({ ...none, ...written }, 128)).toEqual({ address, gateway });
});

test.each(["0.0.0.0", "255.255.255.255", "10.0.2.15"])("%s survives as a number", (text) => {
  expect(addressText(addressNumber(text), 32)).toBe(text);
});

test.each([
  ["::", "::"],
  ["::1", "::1"],
  ["1:0:0:2::", "1:0:0:2::"],
  ["FD00:0:0:0:0:0:0:1", "fd00::1"],
  ["::ffff:10.0.0.1", "::ffff:a00:1"],
])("%s survives as a number, as %s", (text, canonical) => {
  expect(addressText(addressNumber(text), 128)).toBe(canonical);
});
