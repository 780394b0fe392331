import { Agent } from "../agent/agent.ts";
import type { Op } from "../base/op.ts";
import type { Machine } from "../supervisor/port.ts";
import { explainFailure } from "./machine-failure.ts";

/** The agent of a machine that was just started; a machine that dies meanwhile says why it did. */
export async function connectAgent(op: Op, machine: Machine): Promise<Agent> {
  try {
    return await op.race(Agent.connect(op, machine.link));
  } catch (error) {
    throw await explainFailure(op.clock, machine, error, "booting");
  }
}
