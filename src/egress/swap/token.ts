import { createPrivateKey, type KeyObject, sign } from "node:crypto";
import { MicroagentError } from "../../base/errors.ts";
import { randomHex } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Op } from "../../base/op.ts";
import type { ClientCredentialsRule, JwtBearerRule } from "./rule.ts";
import type { TokenEndpoint } from "./token-endpoint.ts";

export interface Token {
  readonly value: string;
  /** How long it may be used from now. */
  readonly ttlMs: number;
}

type SecretReader = (reference: string) => Promise<string>;

const assertionSeconds = 300;

/** A token for a client's own id and secret, which go in the head as RFC 6749, 2.3.1 wants it. */
export async function clientCredentialsToken(
  op: Op,
  rule: ClientCredentialsRule,
  secret: SecretReader,
  endpoint: TokenEndpoint,
): Promise<Token> {
  const [id, password] = await op.together([
    () => secret(rule.clientIdRef),
    () => secret(rule.clientSecretRef),
  ]);
  const pair = `${formEncoded(id)}:${formEncoded(password)}`;
  const form = new URLSearchParams({ grant_type: "client_credentials" });
  if (rule.scopes.length > 0) form.set("scope", rule.scopes.join(" "));
  const headers = { authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
  return tokenOf(rule, await endpoint(op, rule.tokenUrl, form, headers));
}

/** A token for an assertion that we sign. */
export async function jwtBearerToken(
  op: Op,
  rule: JwtBearerRule,
  secret: SecretReader,
  endpoint: TokenEndpoint,
): Promise<Token> {
  const key = signingKey(rule, await secret(rule.signingKeyRef));
  const form = new URLSearchParams({
    grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
    assertion: assertion(rule, key, Math.floor(op.clock.now() / 1000)),
  });
  return tokenOf(rule, await endpoint(op, rule.tokenUrl, form, {}));
}

function assertion(rule: JwtBearerRule, key: KeyObject, now: number): string {
  const head = {
    alg: rule.algorithm,
    typ: "JWT",
    ...(rule.keyId === null ? {} : { kid: rule.keyId }),
  };
  const claims = {
    aud: rule.tokenUrl,
    ...rule.claims,
    iat: now,
    exp: now + assertionSeconds,
    jti: randomHex(16),
  };
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${part(head)}.${part(claims)}`;
  // JWS has the two numbers of an ECDSA signature side by side, not in DER.
  const signature = sign("sha256", Buffer.from(signed), { key, dsaEncoding: "ieee-p1363" });
  return `${signed}.${signature.toString("base64url")}`;
}

function signingKey(rule: JwtBearerRule, pem: string): KeyObject {
  const wanted = rule.algorithm === "RS256" ? "RSA" : "P-256";
  const unusable = () =>
    new MicroagentError(
      "secret_unusable",
      `The signing key of swap "${rule.name}" is no ${wanted} private key in PEM, as ${rule.algorithm} wants`,
    );
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    // What the library says may quote the key.
    throw unusable();
  }
  const fits =
    rule.algorithm === "RS256"
      ? key.asymmetricKeyType === "rsa"
      : key.asymmetricKeyDetails?.namedCurve === "prime256v1";
  if (!fits) throw unusable();
  return key;
}

function tokenOf(
  rule: ClientCredentialsRule | JwtBearerRule,
  answer: Readonly<Record<string, unknown>>,
): Token {
  const value = Object.hasOwn(answer, rule.tokenField) ? answer[rule.tokenField] : undefined;
  if (typeof value !== "string" || value === "") {
    throw new MicroagentError(
      "secret_source_failed",
      `The token server of swap "${rule.name}" answered without a text in "${rule.tokenField}"`,
    );
  }
  const said = Number(answer.expires_in);
  const { tokenSkewMs, tokenTtlMs, tokenTtlMsMax } = limits.swap;
  const givenMs = Number.isFinite(said) && said > 0 ? said * 1000 : tokenTtlMs;
  const lifeMs = rule.tokenTtlSeconds === null ? givenMs : rule.tokenTtlSeconds * 1000;
  const ttlMs = lifeMs > 2 * tokenSkewMs ? lifeMs - tokenSkewMs : lifeMs / 2;
  return { value, ttlMs: Math.min(ttlMs, tokenTtlMsMax) };
}

/** As form values are encoded, which is not quite as URLs are. */
function formEncoded(text: string): string {
  return new URLSearchParams({ v: text }).toString().slice(2);
}
