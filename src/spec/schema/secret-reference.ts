import { resolve } from "node:path";
import { nearestName } from "../nearest.ts";
import type { Check } from "./field-notes.ts";

/** Providers whose host, header and default reference are known. */
export const swapProviders = [
  "openai",
  "anthropic",
  "gemini",
  "groq",
  "openrouter",
  "deepseek",
] as const;
type SwapProvider = (typeof swapProviders)[number];

/** Where a secret comes from when a swap names only the provider. */
const defaultSwapReference: Readonly<Record<SwapProvider, string>> = {
  openai: "env:OPENAI_API_KEY",
  anthropic: "env:ANTHROPIC_API_KEY",
  gemini: "env:GEMINI_API_KEY",
  groq: "env:GROQ_API_KEY",
  openrouter: "env:OPENROUTER_API_KEY",
  deepseek: "env:DEEPSEEK_API_KEY",
};

const secretReference =
  /^(env:[A-Za-z_][A-Za-z0-9_]*|file:\P{Cc}+|dotenv:[^\p{Cc}#]+#[^\p{Cc}#]+|vault:[^\s#]+(#[^\s#]+)?|helper:\P{Cc}+)$/u;

/** How a secret may be named, for errors. */
export const wantedReference =
  "env:NAME, file:PATH, dotenv:PATH#KEY, vault:PATH#FIELD or helper:ARGUMENT";

/** `PROVIDER` or `PROVIDER=reference`; literals are refused unseen. */
export const isCredentialSwap: Check = (value) => {
  const at = value.indexOf("=");
  const provider = at < 0 ? value : value.slice(0, at);
  if (!isSwapProvider(provider)) {
    // Without a "=" the text may be a bare key, so nothing of it is repeated.
    const nearest = nearestName(provider, swapProviders);
    return { why: "names no known provider", ...(nearest === null ? {} : { nearest }) };
  }
  if (at < 0 || secretReference.test(value.slice(at + 1))) return null;
  return {
    why: "holds something that is not a reference",
    hint: `Put the secret into the environment and write "${provider}=env:NAME"`,
  };
};

/** `NAME=scheme:reference` of a secret. */
export const isNamedSecret: Check = (value) => {
  const at = value.indexOf("=");
  const name = value.slice(0, Math.max(at, 0));
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(name))
    return { why: 'has no safe name before "="' };
  if (secretReference.test(value.slice(at + 1))) return null;
  return {
    why: "holds something that is not a reference",
    hint: `Put the secret into the environment and write "${name}=env:NAME"`,
  };
};

/** A provider of the table. */
function isSwapProvider(value: string): value is SwapProvider {
  return (swapProviders as readonly string[]).includes(value);
}

/** A swap with its reference, the provider's usual one where none was written. */
export function fullSwap(value: string): string {
  return isSwapProvider(value) ? `${value}=${defaultSwapReference[value]}` : value;
}

/** A swap whose reference names its file in full; relative paths start at `dir`. */
export function anchoredSwap(value: string, dir: string): string {
  const match = /^([^=]+=)(file|dotenv):(.+)$/s.exec(value);
  if (match === null) return value;
  const [, head = "", scheme = "", path = ""] = match;
  return `${head}${scheme}:${resolve(dir, path)}`;
}
