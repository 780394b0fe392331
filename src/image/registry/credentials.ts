import { join } from "node:path";
import { z } from "zod";
import { isMicroagentError, MicroagentError } from "../../base/errors.ts";
import { jsonOrNull } from "../../base/json.ts";
import type { Op } from "../../base/op.ts";
import { type HostEnvironment, hostEnvironment } from "../../host/environment.ts";
import { runTool } from "../../host/run-tool.ts";
import { type Credentials, entryFor, helperFor, readAuthFile, registryKeys } from "./auth-file.ts";

/** Credentials and where they were found, for messages. */
export interface FoundCredentials {
  readonly credentials: Credentials;
  readonly from: string;
}

const helperNamePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const helperAnswer = z.object({ Username: z.string(), Secret: z.string() });

/** The credentials files in the order in which they are asked. */
export function authPaths(
  ownAuthPath: string,
  environment: Pick<HostEnvironment, "env" | "homeDir"> = hostEnvironment,
): readonly string[] {
  const dockerDir = environment.env("DOCKER_CONFIG") ?? join(environment.homeDir, ".docker");
  return [environment.env("REGISTRY_AUTH_FILE") ?? ownAuthPath, join(dockerDir, "config.json")];
}

/**
 * Credentials for a repository from the first file that has some: its helper for this registry, its own entry, its
 * general helper. Null when nobody knows any; then the registry is asked as an anonymous client.
 */
export async function findCredentials(
  op: Op,
  paths: readonly string[],
  registry: string,
  repository: string,
): Promise<FoundCredentials | null> {
  for (const path of paths) {
    const file = await readAuthFile(path);
    if (file === null) continue;
    const own = entryFor(file, registry, repository);
    const helper = helperFor(file, registry);
    const special = helper !== file.credsStore;
    if (own !== null && !special) return { credentials: own, from: path };
    if (helper !== null) {
      const given = await askHelper(op, helper, registryKeys(registry)[0] ?? registry, path);
      if (given !== null) return { credentials: given, from: `docker-credential-${helper}` };
    }
    if (own !== null) return { credentials: own, from: path };
  }
  return null;
}

async function askHelper(
  op: Op,
  name: string,
  key: string,
  path: string,
): Promise<Credentials | null> {
  if (!helperNamePattern.test(name)) {
    throw new MicroagentError(
      "invalid_argument",
      `Credentials file "${path}" names the impossible helper "${name}"`,
    );
  }
  const program = `docker-credential-${name}`;
  let stdout: string;
  try {
    ({ stdout } = await runTool(op, program, ["get"], { input: key, inheritEnv: true }));
  } catch (error) {
    if (!isMicroagentError(error)) throw error;
    if (error.code === "host_tool_missing") {
      throw new MicroagentError(
        "host_tool_missing",
        `Credential helper "${program}" is not installed`,
        { cause: error, hint: `Install it, or remove it from ${path}` },
      );
    }
    if (error.code !== "host_tool_failed") throw error;
    // Helpers end with a failure to say that they know nothing of this registry.
    op.report({ kind: "note", text: `Credential helper "${program}" has nothing for "${key}"` });
    return null;
  }
  const parsed = helperAnswer.safeParse(jsonOrNull(stdout));
  if (!parsed.success) {
    // What it printed may hold a password: it is not shown.
    throw new MicroagentError(
      "host_tool_failed",
      `Credential helper "${program}" answered with something that is not credentials`,
    );
  }
  const { Username: username, Secret: secret } = parsed.data;
  if (username === "" && secret === "") return null;
  return username === "<token>"
    ? { kind: "identity-token", token: secret }
    : { kind: "password", username, password: secret };
}
