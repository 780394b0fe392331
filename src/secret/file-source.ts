import { open } from "node:fs/promises";
import { parseEnv } from "node:util";
import { errnoOf, isMicroagentError, MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";

/** The raw content of a regular file; pipes are read too, so that `<(command)` of a shell works. */
export async function readSecretFile(path: string): Promise<Uint8Array> {
  const most = limits.secret.valueBytesMax;
  try {
    const file = await open(path, "r");
    try {
      const parts: Uint8Array[] = [];
      let length = 0;
      for (;;) {
        const { bytesRead, buffer } = await file.read(Buffer.alloc(64 * 1024));
        if (bytesRead === 0) return Buffer.concat(parts);
        length += bytesRead;
        if (length > most) {
          throw new MicroagentError(
            "secret_unusable",
            `File "${path}" is longer than ${most} bytes, more than a secret may have`,
          );
        }
        parts.push(buffer.subarray(0, bytesRead));
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** Keys and values of a dotenv file, those without a value left out. `secret_unusable` when it is none. */
export async function readDotenvFile(path: string): Promise<ReadonlyMap<string, string>> {
  const text = Buffer.from(await readSecretFile(path)).toString("utf8");
  const values = new Map<string, string>();
  for (const [key, value] of Object.entries(parseEnv(text))) {
    // The parser takes what it does not understand for part of a key, which may then be a secret's line.
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(key)) {
      throw new MicroagentError(
        "secret_unusable",
        `File "${path}" has a line that is not KEY=VALUE with a KEY of letters, digits and "_"`,
      );
    }
    if (value !== undefined && value !== "") values.set(key, value);
  }
  return values;
}

function unreadable(path: string, error: unknown): MicroagentError {
  if (isMicroagentError(error)) return error;
  const errno = errnoOf(error) ?? "unknown reason";
  if (errno === "ENOENT" || errno === "ENOTDIR") {
    return new MicroagentError("secret_not_found", `Secret file "${path}" does not exist`);
  }
  return new MicroagentError("secret_denied", `Secret file "${path}" cannot be read (${errno})`);
}
