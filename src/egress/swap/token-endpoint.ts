import { request } from "node:https";
import { isIP } from "node:net";
import { connect, type SecureContext, type TLSSocket } from "node:tls";
import { errnoOf, isMicroagentError, MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Op } from "../../base/op.ts";

/** Posts a form to a token server and gives back the object it answers with. */
export type TokenEndpoint = (
  op: Op,
  url: string,
  form: URLSearchParams,
  headers: Readonly<Record<string, string>>,
) => Promise<Readonly<Record<string, unknown>>>;

/**
 * Token servers over verified TLS, from this host: the guest's policy does not concern them. Redirects
 * are not followed. Fails with `secret_denied` or `secret_source_failed`; what the server wrote is not
 * repeated, it may hold what was sent.
 */
export function tokenEndpoint(trust: () => SecureContext): TokenEndpoint {
  return async (op, url, form, headers) => {
    const secureContext = trust();
    const { status, body } = await op.race(post(op, url, form.toString(), headers, secureContext));
    const where = new URL(url).host;
    if (status === 400 || status === 401 || status === 403) {
      throw new MicroagentError(
        "secret_denied",
        `Token server "${where}" refused the request (${status})`,
      );
    }
    const answer = status === 200 ? objectOf(body) : null;
    if (answer !== null) return answer;
    throw new MicroagentError(
      "secret_source_failed",
      `Token server "${where}" answered ${status === 200 ? "with no JSON object" : status}`,
    );
  };
}

function post(
  op: Op,
  url: string,
  content: string,
  headers: Readonly<Record<string, string>>,
  secureContext: SecureContext,
): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) => reject(failure(url, error));
    const sent = request(url, {
      method: "POST",
      createConnection: () => connectTo(new URL(url), secureContext),
      signal: op.signal,
      headers: {
        ...headers,
        accept: "application/json",
        "content-type": "application/x-www-form-urlencoded",
        "content-length": Buffer.byteLength(content),
      },
    });
    sent.on("error", fail);
    sent.on("response", (response) => {
      const parts: Buffer[] = [];
      let length = 0;
      response.on("error", fail);
      response.on("data", (part: Buffer) => {
        length += part.length;
        if (length <= limits.swap.tokenAnswerBytesMax) parts.push(part);
        else sent.destroy(tooLarge(url));
      });
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString("utf8") }),
      );
    });
    sent.end(content);
  });
}

function connectTo(url: URL, secureContext: SecureContext): TLSSocket {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const name = isIP(host) === 0 ? { servername: host } : {};
  return connect({ host, port: Number(url.port || 443), ...name, secureContext });
}

function failure(url: string, error: unknown): MicroagentError {
  if (isMicroagentError(error)) return error;
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return new MicroagentError(
    "secret_source_failed",
    `Token server "${new URL(url).host}" cannot be reached (${errnoOf(error) ?? code ?? "no reason given"})`,
  );
}

function tooLarge(url: string): MicroagentError {
  return new MicroagentError(
    "secret_source_failed",
    `Token server "${new URL(url).host}" answered more than ${limits.swap.tokenAnswerBytesMax} bytes`,
  );
}

function objectOf(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
