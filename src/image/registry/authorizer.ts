import { z } from "zod";
import { visibleText } from "../../base/foreign-text.ts";
import { jsonOrNull } from "../../base/json.ts";
import { limits } from "../../base/limits.ts";
import type { Op } from "../../base/op.ts";
import { type Asked, answerError, unauthorized } from "./answer-error.ts";
import type { Credentials } from "./auth-file.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import { type FoundCredentials, findCredentials } from "./credentials.ts";
import type { Http } from "./http.ts";
import type { Reach } from "./reach.ts";

const tokenAnswer = z.object({
  token: z.string().max(limits.registry.tokenBytesMax).nullish(),
  access_token: z.string().max(limits.registry.tokenBytesMax).nullish(),
});

export interface AuthorizerOptions {
  readonly registry: string;
  readonly repository: string;
  readonly what: string;
  readonly authPaths: readonly string[];
  /** Where a token server may be. */
  readonly reach: Reach;
}

/** Keeps the `Authorization` header for one repository and renews it when the registry says so. */
export class Authorizer {
  readonly #http: Http;
  readonly #options: AuthorizerOptions;
  #header: string | null = null;
  #found: FoundCredentials | null | undefined;
  #renewing: Promise<void> | null = null;

  constructor(http: Http, options: AuthorizerOptions) {
    this.#http = http;
    this.#options = options;
  }

  /** What to send now, null before the registry has asked for anything. */
  get header(): string | null {
    return this.#header;
  }

  get asked(): Asked {
    const { registry, what } = this.#options;
    return { registry, what, credentialsFrom: this.#found?.from ?? null };
  }

  /**
   * Answers a 401: true when there is a new header worth a try, false when `used` was the best we have. Several
   * transfers that are refused at once cause one renewal.
   */
  async renew(op: Op, challengeHeader: string, used: string | null): Promise<boolean> {
    if (this.#header === used) {
      this.#renewing ??= this.#renew(op, parseChallenges(challengeHeader)).finally(() => {
        this.#renewing = null;
      });
      await this.#renewing;
    }
    return this.#header !== null && this.#header !== used;
  }

  async #renew(op: Op, challenges: readonly Challenge[]): Promise<void> {
    const { authPaths, registry, repository } = this.#options;
    if (this.#found === undefined) {
      this.#found = await findCredentials(op, authPaths, registry, repository);
    }
    const credentials = this.#found?.credentials ?? null;
    if (credentials?.kind === "registry-token") {
      this.#header = bearer(credentials.token);
      return;
    }
    const bearerChallenge = challenges.find((one) => one.scheme === "bearer");
    if (bearerChallenge !== undefined) {
      this.#header = bearer(await this.#fetchToken(op, bearerChallenge, credentials));
    } else if (
      challenges.some((one) => one.scheme === "basic") &&
      credentials?.kind === "password"
    ) {
      this.#header = basic(credentials);
    }
  }

  async #fetchToken(
    op: Op,
    challenge: Challenge,
    credentials: Credentials | null,
  ): Promise<string> {
    const realm = this.#realm(challenge);
    const scope = challenge.parameters.scope ?? `repository:${this.#options.repository}:pull`;
    const service = challenge.parameters.service;
    const query = new URLSearchParams({ scope, ...(service === undefined ? {} : { service }) });
    const answer =
      credentials?.kind === "identity-token"
        ? await this.#http.send(op, {
            url: realm.href,
            method: "POST",
            headers: { accept: "application/json" },
            form: new URLSearchParams([
              ...query,
              ["grant_type", "refresh_token"],
              ["client_id", "microagent"],
              ["refresh_token", credentials.token],
            ]),
          })
        : await this.#http.send(op, {
            url: withQuery(realm, query),
            headers: { accept: "application/json" },
            authorization: credentials?.kind === "password" ? basic(credentials) : null,
          });
    if (answer.status !== 200) {
      // A token server answers 400 or 404 where a registry would say 401.
      const error = await answerError(op, answer, this.asked);
      throw answer.status < 500 && answer.status !== 429
        ? unauthorized(this.asked, `the token server "${realm.host}" answered ${answer.status}`)
        : error;
    }
    const bytes = await answer.bytes(limits.registry.tokenBytesMax);
    const parsed = tokenAnswer.safeParse(jsonOrNull(Buffer.from(bytes ?? []).toString("utf8")));
    const token = parsed.success ? (parsed.data.token ?? parsed.data.access_token ?? "") : "";
    if (!/^[\x21-\x7e]+$/.test(token)) {
      throw unauthorized(this.asked, `the token server "${realm.host}" gave no token`);
    }
    return token;
  }

  #realm(challenge: Challenge): URL {
    const text = challenge.parameters.realm ?? "";
    const realm = URL.canParse(text) ? new URL(text) : null;
    const refusal = realm === null ? "which is not an address" : this.#options.reach.refusal(realm);
    if (realm !== null && refusal === null) return realm;
    const place = visibleText(text).slice(0, 300);
    throw unauthorized(this.asked, `it names "${place}" as its token server, ${refusal}`);
  }
}

function basic(credentials: { readonly username: string; readonly password: string }): string {
  const text = `${credentials.username}:${credentials.password}`;
  return `Basic ${Buffer.from(text, "utf8").toString("base64")}`;
}

function bearer(token: string): string {
  return `Bearer ${token}`;
}

function withQuery(realm: URL, query: URLSearchParams): string {
  const url = new URL(realm);
  for (const [name, value] of query) url.searchParams.append(name, value);
  return url.href;
}
