import { expect, test } from "vitest";
import { merge, refused } from "../spec-texts.ts";

test("host port 0 may be asked for more than once", () => {
  expect(
    merge({ publish: ["0:80", "0:81"] }).network.forwards.map((each) => each.hostPort),
  ).toEqual([0, 0]);
});

test.each([
  ["network: {ip: 10.0.2.15, subnet: 10.1.0.0/24}", '1:15: Field "network.ip" is no host address'],
  ["network: {subnet: 10.1.0.0/31}", '1:19: Field "network.subnet" has no room for a guest'],
  ["network: {ip: 10.0.2.9, gateway: 10.0.2.9}", 'Field "network.gateway" is the guest\'s own'],
  ['network: {ipv6Subnet: "10.0.0.0/8"}', 'Field "network.ipv6Subnet" is no IPv6 network'],
  ['network: {ipv6Gateway: "fd00::1", ipv6Subnet: "fd01::/64"}', '"network.ipv6Gateway" is no'],
])("addresses that do not fit are refused with their place: %s", (text, message) => {
  const error = refused(() => merge({}, text));
  expect(error.code).toBe("spec_invalid");
  expect(error.message).toContain(message);
});

test("mediation may be loosened by flag", () => {
  const spec = "mediation: {port: 1, target: 'a:2', required: true}";
  expect(merge({}, spec).mediation).toEqual({
    port: 1,
    target: "a:2",
    required: true,
    failClosed: true,
  });
  expect(merge({ mediationOptional: true }, spec).mediation).toMatchObject({
    required: false,
    failClosed: false,
  });
  expect(refused(() => merge({ mediationOptional: true })).code).toBe("usage");
});
