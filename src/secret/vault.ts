import { readFile } from "node:fs/promises";
import { request as plainRequest } from "node:http";
import { type RequestOptions, request as tlsRequest } from "node:https";
import { z } from "zod";
import { errnoOf, isMicroagentError, MicroagentError } from "../base/errors.ts";
import { jsonOrNull } from "../base/json.ts";
import { limits } from "../base/limits.ts";
import type { Op } from "../base/op.ts";
import type { HostEnvironment } from "../host/environment.ts";
import type { SecretRef } from "./reference.ts";

type Environment = Pick<HostEnvironment, "env">;
type VaultRef = SecretRef & { readonly scheme: "vault" };

/** How a Vault server is reached, from the variables its own client reads. */
export interface VaultServer {
  readonly address: URL;
  readonly token: string;
  readonly namespace: string | null;
}

const answerSchema = z.object({ data: z.object({ data: z.record(z.string(), z.unknown()) }) });

/** The server of VAULT_ADDR, VAULT_TOKEN and VAULT_NAMESPACE; `secret_denied` when one that is needed is missing. */
export function vaultServer(environment: Environment): VaultServer {
  const address = needed(environment, "VAULT_ADDR");
  const url = URL.canParse(address) ? new URL(address) : null;
  if (url === null || !["http:", "https:"].includes(url.protocol)) {
    throw new MicroagentError(
      "invalid_argument",
      "VAULT_ADDR is not a URL: wanted one such as https://vault.example.com:8200",
    );
  }
  return {
    address: url,
    token: needed(environment, "VAULT_TOKEN"),
    namespace: environment.env("VAULT_NAMESPACE") ?? null,
  };
}

/** One field of a secret of the KV version 2 engine. */
export async function readVault(
  op: Op,
  ref: VaultRef,
  environment: Environment,
): Promise<Uint8Array> {
  const server = vaultServer(environment);
  const tls = server.address.protocol === "https:" ? await tlsOptions(environment) : {};
  const path = `/v1/${ref.path.split("/").map(encodeURIComponent).join("/")}`;
  let url = new URL(server.address.pathname.replace(/\/+$/, "") + path, server.address);
  for (let hop = 0; ; hop++) {
    const answer = await ask(op, url, server, tls);
    const next = answer.location;
    if (answer.status === 200) return fieldOf(ref, answer.body);
    if (next === null || hop === limits.secret.vaultRedirectsMax) {
      throw refusal(ref, url, answer.status);
    }
    if (url.hostname !== next.hostname) throw elsewhere(url, next);
    // A standby node names the active one; the token must not go over plain text because of that.
    if (url.protocol === "https:" && next.protocol !== "https:") throw refusal(ref, url, 0);
    url = next;
  }
}

interface Answer {
  readonly status: number;
  readonly location: URL | null;
  readonly body: Buffer;
}

async function ask(op: Op, url: URL, server: VaultServer, tls: RequestOptions): Promise<Answer> {
  const send = url.protocol === "https:" ? tlsRequest : plainRequest;
  const work = new Promise<Answer>((resolve, reject) => {
    const request = send(url, {
      ...tls,
      signal: op.signal,
      headers: {
        "x-vault-token": server.token,
        "x-vault-request": "true",
        ...(server.namespace === null ? {} : { "x-vault-namespace": server.namespace }),
      },
    });
    request.once("error", reject);
    request.once("response", (response) => {
      const parts: Buffer[] = [];
      let length = 0;
      response.on("data", (part: Buffer) => {
        length += part.length;
        parts.push(part);
        if (length > limits.secret.vaultAnswerBytesMax) {
          request.destroy(
            new MicroagentError(
              "secret_source_failed",
              `Vault at "${url.origin}" answers without end`,
            ),
          );
        }
      });
      response.once("error", reject);
      response.once("end", () => {
        const location = response.headers.location;
        resolve({
          status: response.statusCode ?? 0,
          location: location === undefined ? null : urlOrNull(location, url),
          body: Buffer.concat(parts),
        });
      });
    });
    request.end();
  });
  try {
    return await op.race(work);
  } catch (error) {
    op.check();
    if (isMicroagentError(error)) throw error;
    const reason = errnoOf(error) ?? (error instanceof Error ? error.message : "unknown reason");
    throw new MicroagentError(
      "secret_source_failed",
      `Vault at "${url.origin}" cannot be reached (${reason})`,
      { hint: "VAULT_ADDR, VAULT_CACERT and VAULT_TLS_SERVER_NAME say how it is reached" },
    );
  }
}

function fieldOf(ref: VaultRef, body: Buffer): Uint8Array {
  const parsed = answerSchema.safeParse(jsonOrNull(body.toString("utf8")));
  if (!parsed.success) {
    // The answer may hold other secrets of that path: nothing of it is shown.
    throw new MicroagentError(
      "secret_unusable",
      `Vault path "${ref.path}" holds something that is not a secret of the KV version 2 engine`,
    );
  }
  const fields = parsed.data.data.data;
  const names = Object.keys(fields);
  const name = ref.field ?? (names.length === 1 ? names[0] : undefined);
  if (name === undefined) {
    throw new MicroagentError(
      "invalid_argument",
      `Vault path "${ref.path}" has ${names.length} fields: wanted one of them after "#"`,
    );
  }
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (value === undefined || value === null) {
    throw new MicroagentError(
      "secret_not_found",
      `Vault path "${ref.path}" has no field "${name}"`,
    );
  }
  if (typeof value === "string") return Buffer.from(value);
  if (typeof value === "number" || typeof value === "boolean") return Buffer.from(String(value));
  throw new MicroagentError(
    "secret_unusable",
    `Field "${name}" of Vault path "${ref.path}" is a structure: wanted a text`,
  );
}

function refusal(ref: VaultRef, url: URL, status: number): MicroagentError {
  if (status === 403 || status === 401) {
    return new MicroagentError(
      "secret_denied",
      `Vault at "${url.origin}" refuses VAULT_TOKEN for path "${ref.path}"`,
      { hint: "Look at the token with: vault token lookup" },
    );
  }
  if (status === 404) {
    return new MicroagentError(
      "secret_not_found",
      `Vault at "${url.origin}" has nothing at path "${ref.path}"`,
    );
  }
  const why =
    status === 503
      ? "is sealed or in maintenance"
      : status === 0
        ? "redirects from TLS to plain text"
        : `answers with status ${status}`;
  return new MicroagentError("secret_source_failed", `Vault at "${url.origin}" ${why}`);
}

/** The token is for the server that VAULT_ADDR names, and a redirect is no reason to give it to another one. */
function elsewhere(from: URL, to: URL): MicroagentError {
  return new MicroagentError(
    "secret_source_failed",
    `Vault at "${from.origin}" redirects to another host, "${to.hostname}", which is not given VAULT_TOKEN`,
    { hint: "Set VAULT_ADDR to the active node, or to an address that leads to it" },
  );
}

async function tlsOptions(environment: Environment): Promise<RequestOptions> {
  const file = async (name: string) => {
    const path = environment.env(name);
    if (path === undefined) return undefined;
    try {
      return await readFile(path);
    } catch (error) {
      throw new MicroagentError(
        "secret_denied",
        `File "${path}" of ${name} cannot be read (${errnoOf(error) ?? "unknown reason"})`,
      );
    }
  };
  const servername = environment.env("VAULT_TLS_SERVER_NAME");
  const [ca, cert, key] = await Promise.all(
    ["VAULT_CACERT", "VAULT_CLIENT_CERT", "VAULT_CLIENT_KEY"].map(file),
  );
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(servername === undefined ? {} : { servername }),
  };
}

function needed(environment: Environment, name: string): string {
  const value = environment.env(name);
  if (value !== undefined) return value;
  throw new MicroagentError(
    "secret_denied",
    `A "vault" reference needs the environment variable ${name}, which is not set`,
  );
}

function urlOrNull(text: string, base: URL): URL | null {
  return URL.canParse(text, base.href) ? new URL(text, base) : null;
}
