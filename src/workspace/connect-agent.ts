import { Agent } from "../agent/agent.ts";
import type { GuestCalls } from "../agent/guest-calls.ts";
import type { Op } from "../base/op.ts";
import type { Machine } from "../supervisor/port.ts";
import { explainFailure } from "./machine-failure.ts";

/**
 * The agent of a machine that was just started, with who answers the guest's calls; a machine that
 * dies meanwhile says why it did.
 */
export async function connectAgent(op: Op, machine: Machine, calls: GuestCalls): Promise<Agent> {
  try {
    return await op.race(Agent.connect(op, machine.link, { calls }));
  } catch (error) {
    throw await explainFailure(op.clock, machine, error, "booting");
  }
}
