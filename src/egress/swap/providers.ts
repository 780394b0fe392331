import { MicroagentError } from "../../base/errors.ts";
import type { StaticRule, SwapRule } from "./rule.ts";

interface Provider {
  readonly host: string;
  readonly header: string;
  readonly format: string;
  /** The variable its own libraries read; in the guest it holds a placeholder. */
  readonly variable: string;
}

const bearer = { header: "authorization", format: "Bearer {key}" };

const providers: Readonly<Record<string, Provider>> = {
  openai: { host: "api.openai.com", ...bearer, variable: "OPENAI_API_KEY" },
  anthropic: {
    host: "api.anthropic.com",
    header: "x-api-key",
    format: "{key}",
    variable: "ANTHROPIC_API_KEY",
  },
  gemini: {
    host: "generativelanguage.googleapis.com",
    header: "x-goog-api-key",
    format: "{key}",
    variable: "GEMINI_API_KEY",
  },
  groq: { host: "api.groq.com", ...bearer, variable: "GROQ_API_KEY" },
  openrouter: { host: "openrouter.ai", ...bearer, variable: "OPENROUTER_API_KEY" },
  deepseek: { host: "api.deepseek.com", ...bearer, variable: "DEEPSEEK_API_KEY" },
};

/** The rule of `PROVIDER` or `PROVIDER=REFERENCE`, already checked to be a reference. */
export function providerRule(text: string): StaticRule {
  const at = text.indexOf("=");
  const name = at < 0 ? text : text.slice(0, at);
  const provider = Object.hasOwn(providers, name) ? providers[name] : undefined;
  if (provider === undefined) {
    const known = Object.keys(providers).join('", "');
    throw new MicroagentError(
      "invalid_argument",
      `A swap names no known provider, wanted "${known}"`,
    );
  }
  const { host, header, format, variable } = provider;
  const keyRef = at < 0 ? `env:${variable}` : text.slice(at + 1);
  return { name, type: "static", domains: [host], header, format, keyRef };
}

/** Rules of providers and of a swap file as one list. A name in both is an `invalid_argument`. */
export function mergeSwapRules(
  flags: readonly string[],
  file: readonly SwapRule[],
): readonly SwapRule[] {
  const own = flags.map(providerRule);
  for (const { name } of own) {
    if (file.some((rule) => rule.name === name)) {
      throw new MicroagentError(
        "invalid_argument",
        `Swap "${name}" is asked for by name and by the swap file: wanted one of them`,
        { hint: `Remove --cred-swap ${name}, or rename the swap of the file` },
      );
    }
  }
  return [...own, ...file];
}

/** Variables of the guest whose placeholder makes the provider's libraries start. */
export function placeholderVariables(rules: readonly SwapRule[]): readonly string[] {
  return rules.flatMap((rule) => {
    const provider = Object.hasOwn(providers, rule.name) ? providers[rule.name] : undefined;
    return provider !== undefined && rule.domains.includes(provider.host)
      ? [provider.variable]
      : [];
  });
}
