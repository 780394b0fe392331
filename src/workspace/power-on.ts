import type { Agent } from "../agent/agent.ts";
import { isMicroagentError, isTimeout, MicroagentError } from "../base/errors.ts";
import type { Op } from "../base/op.ts";
import type { Machine, MachineRequest } from "../supervisor/port.ts";
import type { SupervisorChoice } from "./engine.ts";
import { lastLines, tellingLines } from "./machine-failure.ts";
import type { WorkspaceDir } from "./workspace-dir.ts";

interface PowerOn {
  readonly choice: SupervisorChoice;
  readonly directory: WorkspaceDir;
  readonly request: MachineRequest;
  readonly bootMs: number;
  readonly connect: (op: Op, machine: Machine) => Promise<Agent>;
}

export interface PoweredOn {
  readonly machine: Machine;
  readonly agent: Agent;
  readonly attempts: number;
  readonly retryReason: string | null;
}

const attemptsMax = 2;

/**
 * Starts the machine and waits for its agent's answer under the boot watchdog. A guest that hangs
 * before it answers is started over once, because emulated time sources can hang a kernel's
 * calibration; any other failure is final. Fails with `boot_timeout` and the console's tail.
 */
export async function powerOn(op: Op, input: PowerOn): Promise<PoweredOn> {
  let retryReason: string | null = null;
  for (let attempt = 1; ; attempt++) {
    try {
      const { machine, agent } = await attemptBoot(op, input, attempt);
      return { machine, agent, attempts: attempt, retryReason };
    } catch (error) {
      if (!isHang(error) || attempt === attemptsMax) throw error;
      retryReason = error.message;
      op.report({ kind: "warning", text: `${error.message}; starting it over once` });
    }
  }
}

async function attemptBoot(
  op: Op,
  input: PowerOn,
  attempt: number,
): Promise<{ machine: Machine; agent: Agent }> {
  const { choice, request } = input;
  const plan = choice.supervisor.plan(request, choice.host);
  const machine = await op.step("start", (step) => choice.supervisor.start(step, plan));
  try {
    await input.directory.recordMachine(choice.supervisor.name, machine);
    const agent = await op.step("handshake", (step) => input.connect(step, machine), {
      timeoutMs: input.bootMs,
    });
    return { machine, agent };
  } catch (error) {
    const tail = machine.consoleTail();
    await machine.kill("boot failed");
    if (op.signal.aborted || !isTimeout(error)) throw error;
    throw hangError(input.bootMs, attempt, tail, error);
  }
}

function hangError(bootMs: number, attempt: number, tail: string, cause: unknown): MicroagentError {
  const shown = tellingLines(tail);
  return new MicroagentError(
    "boot_timeout",
    `The guest did not answer within ${bootMs} ms of power-on (attempt ${attempt} of ${attemptsMax})`,
    {
      cause,
      step: "boot/handshake",
      hint:
        shown.length === 0
          ? "Its console stayed silent; raise --boot-timeout on a slow host, or try another kernel with --kernel"
          : `Its console ended with:\n  ${shown.join("\n  ")}`,
      details: { attempts: attempt, bootMs, consoleTail: lastLines(tail, 20) },
    },
  );
}

function isHang(error: unknown): error is MicroagentError {
  return isMicroagentError(error) && error.code === "boot_timeout";
}
