import { MicroagentError } from "../../base/errors.ts";
import { checkedFlag, choiceFlag } from "../flags/flag-error.ts";
import { parseMediationFlag } from "../flags/mediation-flag.ts";
import { parsePublishFlag } from "../flags/publish-flag.ts";
import {
  type GuestInterfaceAddress,
  interfaceAddress,
  resolverAddress,
} from "../guest-addresses.ts";
import { checkForwards, checkHealthPort, placedForwards } from "../list-checks.ts";
import type { Finding, Placed } from "../placed.ts";
import type { RunPlan } from "../plan.ts";
import { isFilled } from "../schema/checks.ts";
import { networkModes } from "../schema/network-schema.ts";
import { networkDefault } from "../support.ts";
import { type Merging, valuesOf } from "./merging.ts";

/** The network; published ports come whole from `--publish` or from the spec. */
export function mergeNetwork(merging: Merging): RunPlan["network"] {
  const { flags, spec } = merging;
  const network = spec.network ?? {};
  const mode = merging.pick<RunPlan["network"]["mode"]>(
    "network.mode",
    {
      flag:
        flags.network === undefined
          ? undefined
          : choiceFlag("--network", flags.network, networkModes, {
              named: 'named networks are gone, use "bridged" or "user"',
            }),
      spec: network.mode,
    },
    networkDefault,
  );
  const published = merging.flagItems("publish", parsePublishFlag);
  const declared = placedForwards(spec);
  const forwards = merging.pick(
    "network.forwards",
    {
      flag: published.length > 0 ? published : undefined,
      spec: declared.length > 0 ? declared : undefined,
    },
    [],
  );
  const health = spec.health?.httpGet === undefined ? undefined : spec.health.port;
  const healthPort: Placed<number> | null =
    health === undefined
      ? null
      : { value: health, place: { kind: "spec", path: ["health", "port"] } };
  merging.refuse([...checkForwards(forwards, mode), ...checkHealthPort(healthPort, forwards)]);
  if (mode === "nat") {
    merging.notes.push(
      'Network mode "nat" is served as "user": the host opens the connections, no device or address of its own is taken',
    );
  }
  if (
    mode === "isolated" &&
    (spec.agent?.allow?.length ?? 0) + (flags.egressAllow?.length ?? 0) > 0
  ) {
    merging.notes.push('Allowed hosts have no effect on a network of mode "isolated"');
  }
  if (
    mode === "isolated" &&
    (spec.agent?.["cred-swap"]?.length ?? 0) + (flags.credSwap?.length ?? 0) > 0
  ) {
    merging.notes.push(
      'Credentials are not swapped on a network of mode "isolated", which reaches no host',
    );
  }
  const written = mergeAddresses(merging);
  return {
    mode,
    interface: merging.pick<string | null>(
      "network.interface",
      {
        flag:
          flags.networkInterface === undefined
            ? undefined
            : checkedFlag(
                "--network-interface",
                flags.networkInterface,
                isFilled,
                "a host interface",
              ),
      },
      null,
    ),
    forwards: valuesOf(forwards),
    dns: merging.pick<readonly string[]>("network.dns", { spec: network.dns }, []),
    routes: merging.pick<readonly string[]>("network.routes", { spec: network.routes }, []),
    ...written,
  };
}

type Addresses = Pick<
  RunPlan["network"],
  "ip" | "subnet" | "gateway" | "ipv6" | "ipv6Subnet" | "ipv6Gateway" | "addresses"
>;

/** The addresses as written, and what the guest gets for them. */
function mergeAddresses(merging: Merging): Addresses {
  const network = merging.spec.network ?? {};
  const pick = (field: (typeof addressFields)[number]) =>
    merging.pick<string | null>(`network.${field}`, { spec: network[field] }, null);
  const [ip, subnet, gateway, ipv6, ipv6Subnet, ipv6Gateway] = [
    pick("ip"),
    pick("subnet"),
    pick("gateway"),
    pick("ipv6"),
    pick("ipv6Subnet"),
    pick("ipv6Gateway"),
  ];
  const four = interfaceAddress({ ip, subnet, gateway }, 32);
  const six = interfaceAddress({ ip: ipv6, subnet: ipv6Subnet, gateway: ipv6Gateway }, 128);
  const findings: Finding[] = [];
  const complain = (field: (typeof addressFields)[number], sentence: string) =>
    findings.push({
      place: { kind: "spec", path: ["network", field] },
      at: "value",
      sentence: `Field "network.${field}" ${sentence}`,
    });
  if ("sentence" in four) complain(four.field, four.sentence);
  if ("sentence" in six) complain(ipv6Field[six.field], six.sentence);
  merging.refuse(findings);
  const addresses = {
    ipv4: four as GuestInterfaceAddress,
    ipv6: six as GuestInterfaceAddress,
    dns: [resolverAddress(four as GuestInterfaceAddress)],
  };
  return { ip, subnet, gateway, ipv6, ipv6Subnet, ipv6Gateway, addresses };
}

const addressFields = ["ip", "subnet", "gateway", "ipv6", "ipv6Subnet", "ipv6Gateway"] as const;
const ipv6Field = { ip: "ipv6", subnet: "ipv6Subnet", gateway: "ipv6Gateway" } as const;

/** The work channel; `--mediation` replaces the spec's, `--mediation-optional` loosens either. */
export function mergeMediation(merging: Merging): RunPlan["mediation"] {
  const { flags, spec } = merging;
  const optional = flags.mediationOptional === true;
  const flag = flags.mediation === undefined ? undefined : parseMediationFlag(flags.mediation);
  const fromSpec = spec.mediation;
  const enabled =
    fromSpec?.port !== undefined && fromSpec.target !== undefined && fromSpec.enabled !== false
      ? {
          port: fromSpec.port,
          target: fromSpec.target,
          required: !optional && fromSpec.required === true,
          failClosed: !optional && (fromSpec.failClosed ?? fromSpec.required === true),
        }
      : undefined;
  if (optional && flag === undefined && enabled === undefined) {
    throw new MicroagentError(
      "usage",
      "Flag --mediation-optional has nothing to loosen: wanted --mediation port=host:port, or mediation in the spec",
    );
  }
  return merging.pick<RunPlan["mediation"]>(
    "mediation",
    {
      flag:
        flag === undefined ? undefined : { ...flag, required: !optional, failClosed: !optional },
      spec: enabled,
    },
    null,
  );
}
