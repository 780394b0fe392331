import { isMicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import { type Http, isNetworkFailure } from "./http.ts";

/** Whether a registry may be spoken to without TLS: on loopback always, elsewhere when it is listed. */
export function mayBePlain(registry: string, insecureRegistries: readonly string[]): boolean {
  if (insecureRegistries.some((one) => one.toLowerCase() === registry)) return true;
  const host = registry.replace(/:\d+$/, "");
  return (
    host === "localhost" ||
    host.endsWith(".localhost") ||
    host === "[::1]" ||
    /^127(?:\.\d{1,3}){3}$/.test(host)
  );
}

/**
 * The base URL of a registry. TLS is tried first; where plain HTTP is allowed, a registry that does not speak TLS is
 * taken as it is.
 */
export async function findEndpoint(
  op: Op,
  http: Http,
  registry: string,
  plainAllowed: boolean,
): Promise<string> {
  const host = registry === "docker.io" ? "registry-1.docker.io" : registry;
  if (!plainAllowed) return `https://${host}`;
  try {
    const answer = await http.send(op, { url: `https://${host}/v2/`, headers: {} });
    await answer.discard();
    return `https://${host}`;
  } catch (error) {
    op.check();
    if (isMicroagentError(error) && isNetworkFailure(error, "protocol")) return `http://${host}`;
    throw error;
  }
}
