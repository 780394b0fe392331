// A stranger's program: compiled against the installed package with settings that forgive nothing.
import {
  type Artifact,
  type DispatchResult,
  isMicroagentError,
  MicroagentError,
  planRun,
  type RunPlan,
  runPlan,
} from "microagent-ci";
import type { Machine, MachineExit, Supervisor } from "microagent-ci/supervisor";
import { createMemorySupervisor } from "microagent-ci/testing";

const supervisor: Supervisor = createMemorySupervisor() as Supervisor;

async function once(file: string, signal: AbortSignal): Promise<readonly Artifact[]> {
  const plan: RunPlan = await planRun("dispatch", {}, file);
  const result: DispatchResult = await runPlan(plan, { signal });
  return result.outputs.artifacts;
}

function told(exit: MachineExit): string {
  switch (exit.kind) {
    case "requested":
      return exit.reason;
    case "guest-shutdown":
      return exit.consoleTail;
    case "crashed":
      return exit.detail;
    case "killed":
      return exit.signal;
  }
}

export async function end(machine: Machine): Promise<string> {
  if (machine.freezer !== null) machine.freezer.pause satisfies unknown;
  return told(await machine.kill("over"));
}

const error = new MicroagentError("usage", "Nothing was asked for");
if (isMicroagentError(error) && error.code === "usage" && supervisor.name === "memory") {
  await once("agent.yaml", AbortSignal.abort()).catch(() => {});
}
