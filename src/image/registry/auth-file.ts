import { readFile } from "node:fs/promises";
import { z } from "zod";
import { errnoOf, MicroagentError } from "../../base/errors.ts";

/** What proves who we are to a registry. */
export type Credentials =
  | { readonly kind: "password"; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token, as helpers give it under the user name `<token>`. */
  | { readonly kind: "identity-token"; readonly token: string }
  /** A bearer token to be sent as it is. */
  | { readonly kind: "registry-token"; readonly token: string };

const schema = z.object({
  auths: z
    .record(
      z.string(),
      z.object({
        auth: z.string().nullish(),
        username: z.string().nullish(),
        password: z.string().nullish(),
        identitytoken: z.string().nullish(),
        registrytoken: z.string().nullish(),
      }),
    )
    .nullish(),
  credsStore: z.string().nullish(),
  credHelpers: z.record(z.string(), z.string()).nullish(),
});

/** A `config.json` or `auth.json`: who is who, and which programs know more. */
export type AuthFile = Readonly<z.infer<typeof schema>>;

type AuthEntry = NonNullable<AuthFile["auths"]>[string];

/** Reads a credentials file; null when there is none, `invalid_argument` when it is broken. */
export async function readAuthFile(path: string): Promise<AuthFile | null> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return null;
    throw new MicroagentError(
      "invalid_argument",
      `Credentials file "${path}" cannot be read (${errnoOf(error) ?? "unknown"})`,
      { cause: error },
    );
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    // The cause would quote the file, which holds passwords.
    throw new MicroagentError(
      "invalid_argument",
      `Credentials file "${path}" is not what docker login writes`,
      { hint: "Mend it or move it away, then log in again" },
    );
  }
}

/** The names a registry goes by in such files, the one that helpers are asked for first. */
export function registryKeys(registry: string): readonly string[] {
  return registry === "docker.io"
    ? ["https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io"]
    : [registry];
}

/** The file's own entry for a repository: the longest matching key wins. */
export function entryFor(file: AuthFile, registry: string, repository: string): Credentials | null {
  const hosts = new Set(registryKeys(registry).map(bareKey));
  let best: { readonly length: number; readonly entry: AuthEntry } | null = null;
  for (const [key, entry] of Object.entries(file.auths ?? {})) {
    const bare = bareKey(key);
    const slash = bare.indexOf("/");
    const host = slash < 0 ? bare : bare.slice(0, slash);
    const scope = slash < 0 ? "" : bare.slice(slash + 1);
    const fits = scope === "" || repository === scope || repository.startsWith(`${scope}/`);
    if (!hosts.has(host) || !fits || credentialsOf(entry) === null) continue;
    if (best === null || scope.length > best.length) best = { length: scope.length, entry };
  }
  return best === null ? null : credentialsOf(best.entry);
}

/** The helper program's suffix the file names for a registry, null when it names none. */
export function helperFor(file: AuthFile, registry: string): string | null {
  const hosts = new Set(registryKeys(registry).map(bareKey));
  for (const [key, helper] of Object.entries(file.credHelpers ?? {})) {
    if (hosts.has(bareKey(key))) return helper;
  }
  return file.credsStore ?? null;
}

/** `https://index.docker.io/v1/` and `index.docker.io` are the same key. */
function bareKey(key: string): string {
  return key
    .replace(/^https?:\/\//, "")
    .replace(/\/v[12]\/?$/, "")
    .replace(/\/+$/, "")
    .toLowerCase();
}

function credentialsOf(entry: AuthEntry): Credentials | null {
  if (entry.registrytoken) return { kind: "registry-token", token: entry.registrytoken };
  if (entry.identitytoken) return { kind: "identity-token", token: entry.identitytoken };
  const decoded = entry.auth ? Buffer.from(entry.auth, "base64").toString("utf8") : null;
  const colon = decoded?.indexOf(":") ?? -1;
  if (decoded !== null && colon > 0) {
    return {
      kind: "password",
      username: decoded.slice(0, colon),
      // Some writers pad the field with NUL bytes.
      password: decoded.slice(colon + 1).replace(/\0+$/, ""),
    };
  }
  return entry.username && entry.password
    ? { kind: "password", username: entry.username, password: entry.password }
    : null;
}
