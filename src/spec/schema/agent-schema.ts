import type { z } from "zod";
import { isEnvName, isFilled, isHostPath, isHttpUrl } from "./checks.ts";
import { type Check, choice, list, mapping, text, toggle } from "./field-notes.ts";
import { isEgressHost, wantedEgressHost } from "./network-checks.ts";
import { isCredentialSwap, isNamedSecret, wantedReference } from "./secret-reference.ts";

export const egressModes = ["guarded", "strict", "off"] as const;
export type EgressMode = (typeof egressModes)[number];

/** Egress words of other versions, each with today's equivalent. */
export const retiredEgress: Readonly<Record<string, string>> = {
  broker: 'use "guarded", and agent.cred-swap for credentials the guest must not see',
  mitm: 'use "guarded", which intercepts TLS for the hosts of agent.cred-swap',
  mediated: 'use "guarded", which also denies internal hosts',
};

const isBaseUrlName: Check = (value) => {
  const at = value.indexOf("=");
  return isEnvName(at < 0 ? value : value.slice(0, at));
};

const brokerSchema = mapping(
  { doc: "An upstream whose credential the host adds, without interception" },
  {
    upstream: text(
      { doc: "Base URL the host connects to", wanted: "an http or https URL" },
      isHttpUrl,
    ),
    secret: text(
      {
        doc: "Secret the host puts in for @secret:NAME",
        wanted: 'NAME=scheme:reference such as "key=env:API_KEY"',
        secret: true,
      },
      isNamedSecret,
    ).optional(),
    env: list(
      {
        doc: "Variables of the guest that get the base URL",
        wanted: "a list of variable names",
        defaultText: "[]",
      },
      text(
        { doc: "NAME or NAME=VALUE", wanted: "a variable name, optionally with =VALUE" },
        isBaseUrlName,
      ),
    ).optional(),
    proxy: toggle({
      doc: "Also serve CONNECT; at most one endpoint may",
      wanted: "true or false",
      defaultText: "false",
    }).optional(),
    capture: toggle({
      doc: "Record request bodies",
      wanted: "true or false",
      defaultText: "false",
    }).optional(),
    ca: text(
      { doc: "CA file for the upstream", wanted: "the path of a host file" },
      isHostPath,
    ).optional(),
    assurance: choice(["trusted-upstream", "semantic"], {
      doc: "Plain relay, or every operation checked against a grant",
    }).optional(),
    grant: text(
      { doc: 'Grant file, with assurance "semantic"', wanted: "the path of a host file" },
      isHostPath,
    ).optional(),
  },
);

export const agentSchema = mapping(
  { doc: "Makes the spec an Agentfile: one command under an egress envelope" },
  {
    entry: text(
      { doc: "The one-shot command, read by the shell", wanted: "a shell command" },
      isFilled,
    ).optional(),
    egress: choice(egressModes, {
      doc: "What may leave the guest: public hosts, listed hosts only, or everything",
      defaultText: "guarded",
      retired: retiredEgress,
    }).optional(),
    allow: list(
      {
        doc: "Hosts that may be reached; joined with --egress-allow",
        wanted: "a list of hosts",
        defaultText: "[]",
      },
      text(
        {
          doc: "Host, or .suffix for a domain and all below it, optionally with :port",
          wanted: wantedEgressHost,
        },
        isEgressHost,
      ),
    ).optional(),
    "cred-swap": list(
      {
        doc: "Credentials the host puts into requests; joined with --cred-swap",
        wanted: "a list of providers",
        defaultText: "[]",
      },
      text(
        {
          doc: "PROVIDER, or PROVIDER= with env:NAME, file:PATH, dotenv:PATH#KEY, vault:PATH#FIELD or helper:ARGUMENT; never the secret itself",
          wanted: `"openai", "anthropic", "gemini", "groq", "openrouter" or "deepseek", optionally with "=" and ${wantedReference}`,
          secret: true,
        },
        isCredentialSwap,
      ),
    ).optional(),
    broker: brokerSchema.optional(),
    brokers: list(
      {
        doc: "Several broker endpoints; not together with broker",
        wanted: "a list of broker endpoints",
        defaultText: "[]",
      },
      brokerSchema,
    ).optional(),
  },
);

export type BrokerEntry = z.infer<typeof brokerSchema>;
