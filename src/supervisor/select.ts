import { MicroagentError } from "../base/errors.ts";
import type { Op } from "../base/op.ts";
import type { Capabilities, HostFacts, ProbeRequest, Refusal, Supervisor } from "./port.ts";

/** A backend that can run here, and what it found out about this host. */
export interface Selected {
  readonly supervisor: Supervisor;
  readonly probe: { readonly host: HostFacts; readonly capabilities: Capabilities };
}

/**
 * The first candidate that can run here. When none can, the error shows every refusal of every
 * candidate with its remedy, and has the code of the first one.
 */
export async function selectSupervisor(
  op: Op,
  candidates: readonly Supervisor[],
  request: ProbeRequest,
): Promise<Selected> {
  const refusals: Refusal[] = [];
  for (const supervisor of candidates) {
    const probe = await op.step(`probe ${supervisor.name}`, (step) =>
      supervisor.probe(step, request),
    );
    if (probe.ok) {
      return { supervisor, probe: { host: probe.host, capabilities: probe.capabilities } };
    }
    refusals.push(...probe.refusals);
  }
  throw noneCanRun(candidates, refusals);
}

function noneCanRun(candidates: readonly Supervisor[], refusals: readonly Refusal[]) {
  const [first] = refusals;
  if (first === undefined) {
    return new MicroagentError("host_unsupported", "There is no supervisor to choose from", {
      details: { candidates: candidates.map((each) => each.name), refusals },
    });
  }
  const sentences = refusals.map((each) => `${each.supervisor}: ${each.reason}`);
  const hints = refusals.flatMap((each) =>
    each.hint === null
      ? []
      : [refusals.length === 1 ? each.hint : `${each.supervisor}: ${each.hint}`],
  );
  return new MicroagentError(
    first.code,
    `No supervisor can run machines on this host (${sentences.join("; ")})`,
    {
      hint: hints.length === 0 ? "See what is missing with: microagent doctor" : hints.join("; "),
      details: { refusals },
    },
  );
}
