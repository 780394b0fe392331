import { inspect } from "node:util";
import { MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";

/** A credential in use. Its value shows in no text, no JSON and no inspection. */
export class Credential {
  readonly #value: string;
  readonly #format: string;

  /** Fails with `secret_unusable` when the value cannot be in a header or be recognised when it comes back. */
  constructor(rule: { readonly name: string; readonly format: string }, value: string) {
    const problem = problemOf(value);
    if (problem !== null) {
      throw new MicroagentError(
        "secret_unusable",
        `The credential of swap "${rule.name}" ${problem}`,
      );
    }
    this.#value = value;
    this.#format = rule.format;
  }

  /** The header's value. */
  formatted(): string {
    return this.#format.replaceAll("{key}", () => this.#value);
  }

  /** The texts by which a server could send it back, their encodings aside. */
  echoes(): readonly string[] {
    return [this.#value, ...(/^basic /i.test(this.#format) ? userAndPassword(this.#value) : [])];
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

/** What a server reads out of a Basic credential that is given encoded (RFC 7617). */
function userAndPassword(encoded: string): readonly string[] {
  const pair = Buffer.from(encoded, "base64").toString("latin1");
  const at = pair.indexOf(":");
  if (at < 0 || !/^[\x20-\x7e]+$/.test(pair)) return [];
  return [pair, pair.slice(at + 1)].filter((text) => text.length >= limits.swap.credentialBytesMin);
}

function problemOf(value: string): string | null {
  const { credentialBytesMin, credentialBytesMax } = limits.swap;
  if (value.length < credentialBytesMin) {
    return `is shorter than ${credentialBytesMin} bytes: it could not be told from ordinary text in an answer`;
  }
  if (value.length > credentialBytesMax) return `is longer than ${credentialBytesMax} bytes`;
  return /^[\x21-\x7e]+$/.test(value) ? null : "has characters that a header cannot hold";
}
