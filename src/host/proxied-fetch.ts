import { isIPv4 } from "node:net";
import type { Dispatcher } from "undici";
import { hostEnvironment } from "./environment.ts";

/** As the runtime's `fetch`. */
type Fetch = (url: URL, init: RequestInit) => Promise<Response>;

let proxied: Promise<Fetch> | null = null;

/**
 * `fetch` by way of the proxy that HTTPS_PROXY and HTTP_PROXY name, upper or lower case, but for hosts of NO_PROXY.
 * This machine itself is never asked for through a proxy: what listens on loopback listens for us.
 */
export async function proxiedFetch(url: URL, init: RequestInit): Promise<Response> {
  if (proxyFor(url) === null) return await fetch(url, init);
  proxied ??= loadProxiedFetch();
  const send = await proxied;
  return await send(url, init);
}

/** The proxy's name in the environment when this address goes through one, else null. */
export function proxyFor(url: URL): string | null {
  if (isLoopback(url.hostname)) return null;
  // As the library has it: an https address falls back to the other proxy.
  const names = ["https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"];
  const usable = url.protocol === "https:" ? names : names.slice(2);
  return usable.find((name) => hostEnvironment.env(name) !== undefined) ?? null;
}

function isLoopback(hostname: string): boolean {
  const name = hostname.toLowerCase().replace(/\.$/, "");
  if (name === "localhost" || name.endsWith(".localhost") || name === "[::1]") return true;
  return isIPv4(name) && name.startsWith("127.");
}

/** Read only where there is a proxy: it takes longer to load than `--help` to answer. */
async function loadProxiedFetch(): Promise<Fetch> {
  const { EnvHttpProxyAgent, fetch: send } = await import("undici");
  const dispatcher: Dispatcher = new EnvHttpProxyAgent();
  return async (url, init) => {
    const options = { ...init, dispatcher } as unknown as Parameters<typeof send>[1];
    return (await send(url, options)) as unknown as Response;
  };
}
