import { isEnvName, isEnvValue } from "../schema/checks.ts";
import { flagError } from "./flag-error.ts";

/** `KEY=VALUE`; the value may be empty and hold further `=`. It is never repeated in an error. */
export function parseEnvFlag(text: string): { readonly name: string; readonly value: string } {
  const at = text.indexOf("=");
  if (at < 0) {
    throw flagError("--env", text, "KEY=VALUE", {
      secret: true,
      fault: { why: 'has no "="', hint: 'To pass a variable on, write --env KEY="$KEY"' },
    });
  }
  const name = text.slice(0, at);
  const value = text.slice(at + 1);
  if (isEnvName(name) !== null) {
    throw flagError("--env", name, 'a name of letters, digits and "_" before the "="');
  }
  const fault = isEnvValue(value);
  if (fault !== null) throw flagError("--env", name, "KEY=VALUE", { fault, secret: true });
  return { name, value };
}
