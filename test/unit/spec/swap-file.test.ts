import { expect, test } from "vitest";
import { MicroagentError } from "../../../src/base/errors.ts";
import type { SwapRule } from "../../../src/egress/swap/rule.ts";
import { problemsOf } from "../../../src/spec/problem.ts";
import { parseSwapFile } from "../../../src/spec/swap-file.ts";

function complaint(text: string): string {
  try {
    parseSwapFile(text, "swaps.yaml");
  } catch (error) {
    if (!(error instanceof MicroagentError)) throw error;
    return [error.message, error.hint, ...problemsOf(error).map(({ frame }) => frame)].join("\n");
  }
  return "";
}

test("the three kinds, with their defaults filled in", () => {
  const { swaps, place } = parseSwapFile(
    `swaps:
  plain:
    type: static
    domains: [api.example.com, .example.org]
    key_ref: env:KEY
    client_cert_ref: file:/keys/c.pem
    client_key_ref: env:CLIENT_KEY
  client:
    type: oauth2-cc
    domains: [api.example.net:8443]
    header: X-Token
    format: "Token {key}"
    token_url: https://auth.example.net/token
    client_id_ref: env:ID
    client_secret_ref: vault:kv/data/svc#secret
    scopes: [read]
  signed:
    type: jwt-bearer
    domains: [jwt.example.net]
    token_url: https://auth.example.net/token
    signing_key_ref: file:/keys/k.pem
    algorithm: ES256
    claims: { iss: me }
    key_id: k1
    token_response_field: id_token
    token_ttl_seconds: 60
`,
    "swaps.yaml",
  );
  const rules: readonly SwapRule[] = swaps;
  expect(place("plain", "client_key_ref")).toBe("swaps.yaml:7:5");
  const auth = { tokenUrl: "https://auth.example.net/token" };
  expect(rules).toEqual([
    {
      name: "plain",
      type: "static",
      domains: ["api.example.com", ".example.org"],
      header: "Authorization",
      format: "{key}",
      keyRef: "env:KEY",
      clientCertificate: { certRef: "file:/keys/c.pem", keyRef: "env:CLIENT_KEY" },
    },
    {
      name: "client",
      type: "oauth2-cc",
      domains: ["api.example.net:8443"],
      header: "X-Token",
      format: "Token {key}",
      ...auth,
      tokenField: "access_token",
      tokenTtlSeconds: null,
      clientIdRef: "env:ID",
      clientSecretRef: "vault:kv/data/svc#secret",
      scopes: ["read"],
    },
    {
      name: "signed",
      type: "jwt-bearer",
      domains: ["jwt.example.net"],
      header: "Authorization",
      format: "Bearer {key}",
      ...auth,
      tokenField: "id_token",
      tokenTtlSeconds: 60,
      signingKeyRef: "file:/keys/k.pem",
      algorithm: "ES256",
      claims: { iss: "me" },
      keyId: "k1",
    },
  ]);
});

test("JSON is read as well", () => {
  const entry = { type: "static", domains: ["a.example"], key_ref: "env:KEY" };
  expect(parseSwapFile(JSON.stringify({ swaps: { a: entry } }), "s.json").swaps).toHaveLength(1);
});

const one = (fields: string) =>
  `swaps:\n  a:\n    type: static\n    domains: [a.example]\n${fields}`;

test.each([
  ["swap: {}\n", 'swaps.yaml:1:1: Unknown key "swap" in a swap file: wanted "swaps"'],
  ["swaps: []\n", 'swaps.yaml:1:8: Field "swaps" is a list: wanted a mapping of names to swaps'],
  [one(""), 'Field "key_ref" is missing in "swaps.a"'],
  [
    one("    key_ref: env:K\n    keyref: env:K\n"),
    'swaps.yaml:6:5: Unknown key "keyref" in "swaps.a"',
  ],
  [
    one("    key_ref: env:K\n    format: Bearer\n"),
    'swaps.yaml:6:13: Field "swaps.a.format" has no {key}',
  ],
  [
    one("    key_ref: env:K\n    header: Host\n"),
    'Field "swaps.a.header" is "Host", which frames or addresses the request',
  ],
  [
    one("    key_ref: env:K\n    client_key_ref: env:C\n"),
    'swaps.yaml:6:5: Field "swaps.a.client_key_ref" has no "client_cert_ref" beside it: expected both',
  ],
  [
    one("    key_ref: env:K\n    client_cert_ref: env:C\n"),
    'swaps.yaml:6:5: Field "swaps.a.client_cert_ref" has no "client_key_ref" beside it: expected both',
  ],
  [
    "swaps:\n  a:\n    type: magic\n",
    'swaps.yaml:3:11: Field "swaps.a.type" is "magic": wanted "static", "oauth2-cc" or "jwt-bearer"',
  ],
  [
    "swaps:\n  a:\n    type: static\n    domains: []\n    key_ref: env:K\n",
    'swaps.yaml:4:14: Field "swaps.a.domains" is a list: wanted a list of host names',
  ],
  [
    "swaps:\n  a:\n    type: static\n    domains: [10.0.0.1]\n    key_ref: env:K\n",
    "which is an address",
  ],
  ["swaps:\n  a b:\n    type: static\n", 'Swap name "a b" is not valid'],
  [
    "swaps:\n  a:\n    type: oauth2-cc\n    domains: [a.example]\n    token_url: http://a.example/\n    client_id_ref: env:I\n    client_secret_ref: env:S\n",
    "which is no https URL without credentials",
  ],
])("%j", (text, expected) => {
  expect(complaint(text)).toContain(expected);
});

test("a literal secret is refused, and shown neither in the sentence nor in the frame", () => {
  const literal = "sk-live-0123456789abcdef";
  for (const text of [
    one(`    key_ref: ${literal}\n`),
    one(`    key: ${literal}\n`),
    one(`    key_ref: env:K\n    client_cert_ref: env:C\n    client_key_ref: ${literal}\n`),
    one(`    key_ref: env:K\n    format: Bearer ${literal}\n`),
  ]) {
    const shown = complaint(text);
    expect(shown).not.toBe("");
    expect(shown).not.toContain(literal);
  }
  expect(complaint(one(`    key_ref: ${literal}\n`))).toContain(
    'Field "swaps.a.key_ref" holds something that is not a reference: wanted a reference such as "env:API_KEY"',
  );
});
