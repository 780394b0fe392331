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
