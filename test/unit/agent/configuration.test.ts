import { expect, test } from "vitest";
import { encodeConfiguration } from "../../../src/agent/configuration.ts";
import { goldenBytes } from "../../support/golden-bytes.ts";
import { plainConfiguration } from "../../support/in-guest.ts";

const { valid } = goldenBytes("requests.json") as {
  readonly valid: readonly { readonly name: string; readonly line: string }[];
};

test("network and services are sent as the guest's vectors have them", () => {
  const vector = valid.find(({ name }) => name === "configure with a network and services");
  const { network, services } = JSON.parse(vector?.line ?? "{}") as Record<string, unknown>;
  const encoded = encodeConfiguration({
    ...plainConfiguration,
    network: {
      interface: "eth0",
      mtu: 65520,
      ipv4: { address: "10.0.2.15/24", gateway: "10.0.2.2" },
      ipv6: { address: "fd6d:6167:656e:7400::15/64", gateway: "fd6d:6167:656e:7400::2" },
      dns: ["10.0.2.3"],
    },
    services: { secretsSocket: "/run/secrets-api.sock", mediationPort: 7000 },
  });
  expect(encoded).toMatchObject({ network, services });
});

test.each([
  [{}, []],
  [{ network: null, services: { secretsSocket: null, mediationPort: null } }, []],
  [{ services: { secretsSocket: null, mediationPort: 7 } }, ["services"]],
])("what is not asked for is not sent: %j", (change, fields) => {
  const encoded = encodeConfiguration({ ...plainConfiguration, ...change });
  expect(Object.keys(encoded).filter((key) => ["network", "services"].includes(key))).toEqual(
    fields,
  );
});
