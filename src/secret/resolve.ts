import { MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Op } from "../base/op.ts";
import { type HostEnvironment, hostEnvironment } from "../host/environment.ts";
import { readDotenvFile, readSecretFile } from "./file-source.ts";
import { isRefProblem, parseSecretRef, type SecretRef } from "./reference.ts";
import { Secret } from "./secret.ts";

export interface ResolveOptions {
  readonly environment?: Pick<HostEnvironment, "env"> | undefined;
}

/**
 * Fetches the value of a reference, at most 1 MiB within 30 s. `secret_not_found` for nothing and for an empty value,
 * `secret_denied`, `secret_unusable`, `secret_source_failed`; `timeout` and `cancelled` as any step. No failure holds
 * anything of a value.
 */
export async function resolveSecret(
  op: Op,
  ref: SecretRef,
  options: ResolveOptions = {},
): Promise<Secret> {
  const environment = options.environment ?? hostEnvironment;
  const bytes = await op.step("secret", (step) => fetchValue(step, ref, environment), {
    timeoutMs: limits.secret.resolveMs,
  });
  if (bytes.length > limits.secret.valueBytesMax) {
    throw new MicroagentError(
      "secret_unusable",
      `The secret of a "${ref.scheme}" reference is longer than ${limits.secret.valueBytesMax} bytes`,
    );
  }
  if (bytes.length === 0) {
    throw new MicroagentError(
      "secret_not_found",
      `The secret of a "${ref.scheme}" reference is empty`,
    );
  }
  return new Secret(bytes);
}

/** As `resolveSecret`, from a text; `invalid_argument` for what is no reference, which it never repeats. */
export async function resolveSecretText(
  op: Op,
  text: string,
  options: ResolveOptions = {},
): Promise<Secret> {
  const ref = parseSecretRef(text);
  if (isRefProblem(ref)) throw notAReference(ref.problem, ref.hint);
  return await resolveSecret(op, ref, options);
}

function notAReference(problem: string, hint: string): MicroagentError {
  return new MicroagentError("invalid_argument", `The secret ${problem}`, { hint });
}

async function fetchValue(
  op: Op,
  ref: SecretRef,
  environment: Pick<HostEnvironment, "env">,
): Promise<Uint8Array> {
  switch (ref.scheme) {
    case "env":
      return Buffer.from(variable(environment, ref.variable));
    case "file":
      return await readSecretFile(ref.path);
    case "dotenv": {
      const value = (await readDotenvFile(ref.path)).get(ref.key);
      if (value !== undefined) return Buffer.from(value);
      throw new MicroagentError(
        "secret_not_found",
        `File "${ref.path}" has no key "${ref.key}" with a value`,
      );
    }
    case "vault": {
      const { readVault } = await import("./vault.ts");
      return await readVault(op, ref, environment);
    }
    case "helper": {
      const { askHelper } = await import("./helper-program.ts");
      return await askHelper(op, ref.argument, environment);
    }
  }
}

function variable(environment: Pick<HostEnvironment, "env">, name: string): string {
  const value = environment.env(name);
  if (value !== undefined) return value;
  throw new MicroagentError(
    "secret_not_found",
    `Environment variable "${name}" is not set or empty: wanted a secret in it`,
  );
}
