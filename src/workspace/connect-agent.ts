import { Agent } from "../agent/agent.ts";
import type { GuestCalls } from "../agent/guest-calls.ts";
import type { Renewal } from "../agent/renewal.ts";
import type { Op } from "../base/op.ts";
import type { Machine } from "../supervisor/port.ts";
import { explainFailure } from "./machine-failure.ts";

/**
 * The agent of a machine that was just started, with who answers the guest's calls; a machine that
 * dies meanwhile says why it did. One that was started from a saved one becomes another by `renewal`.
 */
export async function connectAgent(
  op: Op,
  machine: Machine,
  calls: GuestCalls,
  renewal?: Renewal,
): Promise<Agent> {
  try {
    // A guest with nobody to call has every stream of its own reset.
    const answering = Object.keys(calls).length === 0 ? {} : { calls };
    return await op.race(Agent.connect(op, machine.link, { ...answering, renewal }));
  } catch (error) {
    throw await explainFailure(op.clock, machine, error, "booting");
  }
}
