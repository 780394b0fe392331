import type { EgressMode } from "./schema/agent-schema.ts";
import type { NetworkMode } from "./schema/network-schema.ts";

/** Whether using a field does something in this release. */
export interface FieldSupport {
  /** Path in the vocabulary of the spec, or a flag that has no field. */
  readonly field: string;
  readonly supported: boolean;
  /** True for a value that asks for nothing, or for what is built already. */
  readonly harmless?: (value: unknown) => boolean;
  /** The part that does work, for documentation. */
  readonly partly?: string;
  /** What to do instead, when there is something. */
  readonly instead?: string;
}

/** The network of a run that does not ask for one. */
export const networkDefault: NetworkMode = "user";
/** The egress of a run that does not ask for one. */
export const egressDefault: EgressMode = "guarded";

const built = (field: string): FieldSupport => ({ field, supported: true });
const planned = (
  field: string,
  more: Omit<FieldSupport, "field" | "supported"> = {},
): FieldSupport => ({
  field,
  supported: false,
  ...more,
});

const brokerInstead =
  "Use agent.cred-swap, or --egress-swap-config for a host of your own: the credential stays on the host, and programs keep their base URL";
const filesInstead = "Copy files in with files, and bring results out with outputs";

/**
 * Every field and every flag without a field. A release that builds a feature flips its entry here
 * and nowhere else.
 */
export const fieldSupport: readonly FieldSupport[] = [
  built("name"),
  built("image"),
  built("profile"),
  planned("restart", { partly: "`never` only", harmless: (value) => value === "never" }),
  built("entrypoint"),
  planned("service", { instead: "Use agent.entry for a command that ends" }),
  built("shell"),
  built("hostname"),
  built("setup"),
  built("setupFiles"),
  built("files"),
  built("env"),
  planned("model"),
  planned("modelRunner", { harmless: isEmpty }),
  planned("modelMediation", {
    partly: "`mode: off` only",
    harmless: (value) => isEmpty(value) || (value as { mode?: string }).mode === "off",
  }),
  built("resources"),
  planned("network.mode", {
    partly: "`user`, `nat` (the same as `user`) and `isolated`",
    harmless: (value) => value !== "bridged",
    instead:
      'Mode "bridged" needs a device on a bridge of the host, which takes privileges: use "user", with --publish for what must reach the guest',
  }),
  planned("network.interface", { instead: 'Only "bridged" has a use for it: use mode "user"' }),
  built("network.forwards"),
  built("network.dns"),
  planned("network.routes", {
    harmless: isEmpty,
    instead: "Remove it: everything the guest sends goes to the host, which has routes of its own",
  }),
  built("network.ip"),
  built("network.subnet"),
  built("network.gateway"),
  built("network.ipv6"),
  built("network.ipv6Subnet"),
  built("network.ipv6Gateway"),
  built("mediation"),
  planned("health"),
  planned("disks", { harmless: isEmpty, instead: filesInstead }),
  planned("bundles", { harmless: isEmpty, instead: filesInstead }),
  planned("--volume", { harmless: isEmpty, instead: filesInstead }),
  built("outputs"),
  built("acknowledgeCapabilityRisk"),
  built("agent.entry"),
  built("agent.egress"),
  built("agent.allow"),
  built("--egress-passthrough"),
  built("--egress-policy"),
  built("agent.cred-swap"),
  built("--egress-swap-config"),
  planned("agent.broker", { instead: brokerInstead }),
  planned("agent.brokers", { harmless: isEmpty, instead: brokerInstead }),
  built("--secret"),
  built("--secret-on-demand"),
  built("--secrets-env-file"),
  built("--secrets-audit"),
];

/** Support of a field, or of the block it belongs to. */
export function supportOf(field: string): FieldSupport {
  for (let path = field; path !== ""; path = path.slice(0, Math.max(0, path.lastIndexOf(".")))) {
    const found = fieldSupport.find((entry) => entry.field === path);
    if (found !== undefined) return found;
  }
  return built(field);
}

function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}
