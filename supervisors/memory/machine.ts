import { PassThrough } from "node:stream";
import { MicroagentError } from "../../src/base/errors.ts";
import type { Op } from "../../src/base/op.ts";
import { captureConsole } from "../../src/supervisor/console.ts";
import type { Machine, MachineExit } from "../../src/supervisor/port.ts";
import type { MachineFault, MemoryControl } from "./control.ts";
import { FreezableLink } from "./freezable-link.ts";
import { startMemoryGuest } from "./guest.ts";
import type { GuestScript } from "./guest-script.ts";
import type { MemoryPlan } from "./plan.ts";
import { readSaved, rememberGuest } from "./snapshots.ts";

type Ending =
  | { readonly kind: "requested"; readonly reason: string }
  | { readonly kind: "guest-shutdown" }
  | { readonly kind: "crashed"; readonly detail: string; readonly exitCode: number | null }
  | { readonly kind: "killed"; readonly signal: string; readonly outOfMemory: null };

/** Starts a guest in this process and gives it the manners of a machine. `vmm_failed` by fault. */
export async function startMemoryMachine(
  op: Op,
  plan: MemoryPlan,
  script: GuestScript,
  control: MemoryControl,
): Promise<Machine> {
  op.check();
  const fault = control.nextFault();
  if (fault?.kind === "start-fails") {
    throw new MicroagentError("vmm_failed", `The machine could not be started: ${fault.detail}`);
  }
  const saved = await readSaved(plan.statePath);
  const console = await captureConsole(plan.consolePath);
  const serial = new PassThrough();
  console.attach(serial);
  const say = (line: string) => serial.writable && serial.write(`${line}\r\n`);
  for (const line of plan.banner) say(line);

  const guest = startMemoryGuest(script, saved);
  let ending: Ending | null = null;
  let resolveExit: (exit: MachineExit) => void = () => {};
  const exit = new Promise<MachineExit>((resolve) => {
    resolveExit = resolve;
  });
  const end = (how: Ending) => {
    if (ending !== null) return;
    ending = how;
    cancelFault();
    untrack();
    // A guest that powers itself off still gets its last answer out.
    if (how.kind !== "guest-shutdown") guest.crash();
    link.thaw();
    serial.end();
    void console.finished.then(() => {
      link.closeUnread();
      resolveExit({ ...how, consoleTail: console.tail() });
    });
  };
  const panic = (detail: string) => {
    const message = `Kernel panic - not syncing: ${detail}`;
    say(message);
    end({ kind: "crashed", detail: message, exitCode: 0 });
  };
  const link = new FreezableLink(guest.hostLink, () => {
    end({ kind: "crashed", detail: "The guest is gone", exitCode: null });
  });
  const killedBy = (signal: string) => end({ kind: "killed", signal, outOfMemory: null });
  const untrack = control.track({ name: plan.name, panic, killedBy });
  const cancelFault = schedule(op, fault, panic, killedBy);
  void guest.poweredOff.then(() => {
    say("reboot: Power down");
    end({ kind: "guest-shutdown" });
  });

  const whileAlive = async (step: Op, act: () => void) => {
    step.check();
    if (ending !== null) throw new MicroagentError("closed", `Machine "${plan.name}" has ended`);
    act();
  };
  if (saved !== null) link.freeze();
  const machine: Machine = {
    name: plan.name,
    pid: null,
    link,
    exit,
    consoleTail: () => console.tail(),
    async kill(reason) {
      end({ kind: "requested", reason });
      return await exit;
    },
    freezer: {
      pause: (step) => whileAlive(step, () => link.freeze()),
      resume: (step) => whileAlive(step, () => link.thaw()),
    },
  };
  rememberGuest(machine, guest);
  if (op.signal.aborted) {
    // Nobody waits for it any more.
    await machine.kill("the start was given up");
    op.check();
  }
  return machine;
}

function schedule(
  op: Op,
  fault: MachineFault | null,
  panic: (detail: string) => void,
  killedBy: (signal: string) => void,
): () => void {
  switch (fault?.kind) {
    case "panics":
      return op.clock.after(fault.afterMs, () => panic(fault.detail));
    case "killed":
      return op.clock.after(fault.afterMs, () => killedBy(fault.signal));
    default:
      return () => {};
  }
}
