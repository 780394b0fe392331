import { architectures, isArchitectureWord } from "../base/architecture.ts";
import { MicroagentError } from "../base/errors.ts";

/** Parsers for flag values; a bad one is `invalid_argument` and names the flag. */

/** `--arch` in any usual spelling, else `hostArch`. */
export function architectureFlag(
  value: string | undefined,
  hostArch: "x86_64" | "aarch64",
): "x86_64" | "aarch64" {
  if (value === undefined) return hostArch;
  if (isArchitectureWord(value)) return architectures[value];
  throw unacceptable("--arch", value, '"x86_64" or "aarch64"');
}

/** A flag that takes one of a few words. */
export function wordFlag<Word extends string>(
  flag: string,
  value: string,
  words: readonly Word[],
): Word {
  const found = words.find((word) => word === value);
  if (found !== undefined) return found;
  throw unacceptable(flag, value, words.map((word) => `"${word}"`).join(" or "));
}

/** A whole number from 1. */
export function countFlag(flag: string, value: string): number {
  const number = Number(value);
  if (/^[0-9]{1,9}$/.test(value) && number >= 1) return number;
  throw unacceptable(flag, value, "a whole number from 1");
}

function unacceptable(flag: string, value: string, wanted: string): MicroagentError {
  return new MicroagentError(
    "invalid_argument",
    `Value "${value}" of ${flag} is not acceptable: wanted ${wanted}`,
  );
}
