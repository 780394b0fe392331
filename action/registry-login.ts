import { chmod, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setSecret, warning } from "@actions/core";

const program = "microagent-github";
const variable = "MICROAGENT_GITHUB_TOKEN";

/** Host of the container registry that belongs to a server of GitHub's; null when the server is not known. */
export function registryOf(serverUrl: string): string | null {
  if (serverUrl === "") return null;
  const { hostname } = new URL(serverUrl);
  return hostname === "github.com" ? "ghcr.io" : `containers.${hostname}`;
}

/**
 * Lets this process, and what it starts, fetch images of GitHub's registry as the token's owner. The token is in the environment
 * only: the file names a helper, and the helper prints the variable. Other registries are asked as before.
 */
export async function loginToRegistry(
  token: string,
  serverUrl: string,
  dir: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<void> {
  setSecret(token);
  setSecret(Buffer.from(`x-access-token:${token}`).toString("base64"));
  const registry = registryOf(serverUrl);
  if (registry === null) return;
  if (env.REGISTRY_AUTH_FILE) {
    warning('Input "github-token" counts for nothing: REGISTRY_AUTH_FILE says who is who');
    return;
  }
  const bin = join(dir, "bin");
  const helper = join(bin, `docker-credential-${program}`);
  const authFile = join(dir, "auth.json");
  await mkdir(dirname(helper), { recursive: true, mode: 0o700 });
  await writeFile(helper, helperText);
  await chmod(helper, 0o700);
  await writeFile(authFile, JSON.stringify({ credHelpers: { [registry]: program } }));
  env.PATH = `${bin}:${env.PATH ?? "/usr/bin:/bin"}`;
  env.REGISTRY_AUTH_FILE = authFile;
  env[variable] = token;
}

const helperText = `#!/bin/sh
printf '{"Username":"x-access-token","Secret":"%s"}' "$${variable}"
`;
