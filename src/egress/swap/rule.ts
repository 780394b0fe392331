/** Which credential goes to which hosts, and where it comes from. References only, never a value. */
export type SwapRule = StaticRule | ClientCredentialsRule | JwtBearerRule;

interface Placement {
  /** For messages and the audit. */
  readonly name: string;
  /** `api.example.com`, or `.example.com` for it and all below; `:port` where it is not 443. */
  readonly domains: readonly string[];
  readonly header: string;
  /** The header's value; `{key}` stands for the credential. */
  readonly format: string;
  /** For servers that ask their clients for a certificate. */
  readonly clientCertificate?: ClientCertificateRefs | undefined;
}

/** Where a client certificate and its key come from, both in PEM. */
export interface ClientCertificateRefs {
  readonly certRef: string;
  readonly keyRef: string;
}

export interface StaticRule extends Placement {
  readonly type: "static";
  readonly keyRef: string;
}

interface TokenAcquisition extends Placement {
  /** An https URL. */
  readonly tokenUrl: string;
  /** The member of the answer that holds the credential. */
  readonly tokenField: string;
  /** How long a token is used; null: as long as its server says. */
  readonly tokenTtlSeconds: number | null;
}

/** OAuth 2 client credentials (RFC 6749, 4.4). */
export interface ClientCredentialsRule extends TokenAcquisition {
  readonly type: "oauth2-cc";
  readonly clientIdRef: string;
  readonly clientSecretRef: string;
  readonly scopes: readonly string[];
}

/** A signed assertion exchanged for a token (RFC 7523). */
export interface JwtBearerRule extends TokenAcquisition {
  readonly type: "jwt-bearer";
  /** A private key in PEM. */
  readonly signingKeyRef: string;
  readonly algorithm: "RS256" | "ES256";
  /** `iss`, `sub`, `aud` and whatever else the server wants; `iat`, `exp` and `jti` are added. */
  readonly claims: Readonly<Record<string, string>>;
  /** `kid` of the assertion's head. */
  readonly keyId: string | null;
}

/** Every reference of a rule. */
export function referencesOf(rule: SwapRule): readonly string[] {
  const { clientCertificate } = rule;
  const own =
    clientCertificate === undefined ? [] : [clientCertificate.certRef, clientCertificate.keyRef];
  switch (rule.type) {
    case "static":
      return [rule.keyRef, ...own];
    case "oauth2-cc":
      return [rule.clientIdRef, rule.clientSecretRef, ...own];
    case "jwt-bearer":
      return [rule.signingKeyRef, ...own];
    default:
      return rule satisfies never;
  }
}
