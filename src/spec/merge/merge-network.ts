import { MicroagentError } from "../../base/errors.ts";
import { checkedFlag, choiceFlag } from "../flags/flag-error.ts";
import { parseMediationFlag } from "../flags/mediation-flag.ts";
import { parsePublishFlag } from "../flags/publish-flag.ts";
import { checkForwards, checkHealthPort, placedForwards } from "../list-checks.ts";
import type { Placed } from "../placed.ts";
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
  merging.refuse([
    ...checkForwards(forwards, mode === "none yet" ? undefined : mode),
    ...checkHealthPort(healthPort, forwards),
  ]);
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
    ip: merging.pick<string | null>("network.ip", { spec: network.ip }, null),
    subnet: merging.pick<string | null>("network.subnet", { spec: network.subnet }, null),
    gateway: merging.pick<string | null>("network.gateway", { spec: network.gateway }, null),
    ipv6: merging.pick<string | null>("network.ipv6", { spec: network.ipv6 }, null),
    ipv6Subnet: merging.pick<string | null>(
      "network.ipv6Subnet",
      { spec: network.ipv6Subnet },
      null,
    ),
    ipv6Gateway: merging.pick<string | null>(
      "network.ipv6Gateway",
      { spec: network.ipv6Gateway },
      null,
    ),
  };
}

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
