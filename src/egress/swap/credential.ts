import { inspect } from "node:util";
import { MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";

/** A credential in use. Its value shows in no text, no JSON and no inspection. */
export class Credential {
  readonly #value: string;

  /** Fails with `secret_unusable` when the value cannot be in a header or be recognised when it comes back. */
  constructor(rule: string, value: string) {
    const problem = problemOf(value);
    if (problem !== null) {
      throw new MicroagentError("secret_unusable", `The credential of swap "${rule}" ${problem}`);
    }
    this.#value = value;
  }

  /** The header's value. */
  formatted(format: string): string {
    return format.replaceAll("{key}", () => this.#value);
  }

  /** For whoever looks for it in answers. */
  reveal(): string {
    return this.#value;
  }

  toJSON(): string {
    return "[credential]";
  }

  toString(): string {
    return "[credential]";
  }

  [inspect.custom](): string {
    return "[credential]";
  }
}

/** The text of a resolved secret, without the line end that files have. */
export function secretText(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString("utf8")
    .replace(/\r?\n$/, "");
}

function problemOf(value: string): string | null {
  const { credentialBytesMin, credentialBytesMax } = limits.swap;
  if (value.length < credentialBytesMin) {
    return `is shorter than ${credentialBytesMin} bytes: it could not be told from ordinary text in an answer`;
  }
  if (value.length > credentialBytesMax) return `is longer than ${credentialBytesMax} bytes`;
  return /^[\x21-\x7e]+$/.test(value) ? null : "has characters that a header cannot hold";
}
