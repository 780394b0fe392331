import { z } from "zod";
import { type Check, text } from "./field-notes.ts";
import { isEgressHost } from "./network-checks.ts";
import { isNamedSecret } from "./secret-reference.ts";

/** What each field of a swap wants, for errors. */
export const wantedInSwap: Readonly<Record<string, string>> = {
  type: '"static", "oauth2-cc" or "jwt-bearer"',
  domains: 'a list of host names such as "api.example.com" or ".example.com"',
  header: 'the name of a request header such as "Authorization"',
  format: 'a text with {key} in it such as "Bearer {key}"',
  client_cert_ref: 'a reference to certificates in PEM such as "file:/etc/keys/client.pem"',
  client_key_ref: 'a reference to a private key in PEM such as "file:/etc/keys/client-key.pem"',
  key_ref: 'a reference such as "env:API_KEY"',
  token_url: "an https URL",
  client_id_ref: 'a reference such as "env:CLIENT_ID"',
  client_secret_ref: 'a reference such as "env:CLIENT_SECRET"',
  scopes: "a list of texts",
  signing_key_ref: 'a reference to a private key in PEM such as "file:key.pem"',
  claims: "a mapping of texts",
  algorithm: '"RS256" or "ES256"',
  key_id: "a text",
  token_response_field: "the name of a member of the token server's answer",
  token_ttl_seconds: "a whole number of seconds from 1 to 86400",
};

/** What a value may not be shown of: a literal secret may stand where a reference belongs. */
export const openInSwap: ReadonlySet<string> = new Set([
  "type",
  "domains",
  "header",
  "token_url",
  "scopes",
  "algorithm",
  "token_response_field",
  "token_ttl_seconds",
]);

const framing = /^(host|content-length|transfer-encoding|connection|te|trailer|upgrade|expect)$/i;

const isHeader: Check = (value) => {
  if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/.test(value)) return { why: "is no header name" };
  return framing.test(value) ? { why: "frames or addresses the request" } : null;
};

const isFormat: Check = (value) =>
  value === "" || (/\{key\}/.test(value) && /^[\x20-\x7e]{1,1024}$/.test(value))
    ? null
    : { why: "has no {key}, or no plain text around it" };

const isReference: Check = (value) =>
  isNamedSecret(`key=${value}`) === null
    ? null
    : {
        why: "holds something that is not a reference",
        hint: 'Put the secret into the environment and write "env:NAME"',
      };

const isHttpsUrl: Check = (value) => {
  const url = URL.canParse(value) ? new URL(value) : null;
  return url?.protocol === "https:" && url.username === "" && url.password === ""
    ? null
    : { why: "is no https URL without credentials" };
};

const isDomain: Check = (value) =>
  isEgressHost(value) ??
  (/^[\d.:[\]]+$/.test(value) ? { why: "is an address" } : null) ??
  (/:\d+-\d+$/.test(value) ? { why: "has a range of ports" } : null);

function checked(field: string, check?: Check) {
  return text({ doc: field, wanted: wantedInSwap[field] ?? "a text" }, check);
}

const placement = {
  domains: z.array(checked("domains", isDomain)).min(1).max(64),
  header: checked("header", isHeader).optional(),
  format: checked("format", isFormat).optional(),
  client_cert_ref: checked("client_cert_ref", isReference).optional(),
  client_key_ref: checked("client_key_ref", isReference).optional(),
};

const acquisition = {
  token_url: checked("token_url", isHttpsUrl),
  token_response_field: z.string().min(1).max(128).optional(),
  token_ttl_seconds: z.number().int().min(1).max(86_400).optional(),
};

const staticSchema = z.strictObject({
  type: z.literal("static"),
  ...placement,
  key_ref: checked("key_ref", isReference),
});

const clientCredentialsSchema = z.strictObject({
  type: z.literal("oauth2-cc"),
  ...placement,
  ...acquisition,
  client_id_ref: checked("client_id_ref", isReference),
  client_secret_ref: checked("client_secret_ref", isReference),
  scopes: z.array(z.string().min(1).max(1024)).max(64).optional(),
});

const jwtBearerSchema = z.strictObject({
  type: z.literal("jwt-bearer"),
  ...placement,
  ...acquisition,
  signing_key_ref: checked("signing_key_ref", isReference),
  algorithm: z.enum(["RS256", "ES256"]).optional(),
  claims: z.record(z.string(), z.string().max(4096)).optional(),
  key_id: z.string().min(1).max(1024).optional(),
});

export const swapSchema = z.discriminatedUnion("type", [
  staticSchema,
  clientCredentialsSchema,
  jwtBearerSchema,
]);

export type SwapEntry = z.infer<typeof swapSchema>;

/** The fields of each type, in the order of the documentation. */
export const swapFields: Readonly<Record<string, readonly string[]>> = {
  static: Object.keys(staticSchema.shape),
  "oauth2-cc": Object.keys(clientCredentialsSchema.shape),
  "jwt-bearer": Object.keys(jwtBearerSchema.shape),
};

export const swapFileSchema = z.strictObject({
  swaps: z.record(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/), swapSchema),
});
