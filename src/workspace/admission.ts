import { join } from "node:path";
import { MicroagentError } from "../base/errors.ts";
import type { Op } from "../base/op.ts";
import { withLock } from "../host/lock.ts";
import { ensurePrivateDir, type StateLayout } from "../host/state-layout.ts";
import {
  dropTicket,
  grantTicket,
  listTickets,
  openTicket,
  regroupTicket,
  type Ticket,
} from "./admission-tickets.ts";

/** What machines may take together on this host, over all processes that ask here. */
export interface Budget {
  readonly memoryMib: number;
  readonly cpus: number;
  readonly machines: number;
}

export interface AdmissionRequest {
  readonly memoryMib: number;
  readonly cpus: number;
  /**
   * Who asks, `[a-z0-9]`: machines of one group are needed together, so a group that holds some is
   * served before one that holds none.
   */
  readonly group: string;
}

/** The right to run one machine of the requested size. */
export interface Admission {
  /** How long it was waited for, milliseconds. */
  readonly waitedMs: number;
  /** Gives the room back; may be called again. */
  release(): Promise<void>;
}

const pollMsMin = 10;
const pollMsMax = 100;
const noteAfterMs = 1_000;
/** Before the deadline, so that the answer says more than the name of the step. */
const giveUpEarlyMs = 100;

/**
 * Waits until the budget has room for one more machine. First come, first served. A request that the whole
 * budget could not hold is `over_budget` at once; a wait that outlasts `op` is a `timeout` that says who
 * holds what.
 */
export async function admit(
  op: Op,
  layout: StateLayout,
  budget: Budget,
  request: AdmissionRequest,
): Promise<Admission> {
  refuseTooLarge(budget, request);
  const dir = join(layout.root, "admission");
  await ensurePrivateDir(dir);
  const lock = join(layout.locks, "admission");
  const startedAt = op.clock.monotonic();
  const ticket = await openTicket(dir, request);
  let pollMs = pollMsMin;
  let noted = false;
  try {
    for (;;) {
      const granted = await withLock(op, lock, async () => {
        const tickets = await listTickets(dir);
        refuseGroup(tickets, budget, request);
        if (!mayRun(tickets, ticket.name, budget)) return null;
        return await grantTicket(ticket);
      });
      if (granted !== null) {
        const waitedMs = op.clock.monotonic() - startedAt;
        return { waitedMs, release: () => dropTicket(granted) };
      }
      if (!noted && op.clock.monotonic() - startedAt > noteAfterMs) {
        noted = true;
        op.report({
          kind: "note",
          text: `Waiting for room: ${await holders(dir, request, budget)}`,
        });
      }
      const leftMs = op.remainingMs() - giveUpEarlyMs;
      if (leftMs <= 0) throw await noRoom(op, startedAt, dir, request, budget);
      await op.sleep(Math.min(leftMs, pollMs));
      pollMs = Math.min(pollMsMax, pollMs * 1.5);
    }
  } catch (error) {
    await dropTicket(ticket);
    throw error;
  }
}

/** Room that nobody has asked for yet. */
export interface SpareAdmission {
  /** Makes it that of a group, which may need more. */
  giveTo(group: string): Promise<void>;
  release(): Promise<void>;
}

/** Room for one machine more, when there is some at once and nobody waits for any; else null. */
export async function admitSpare(
  op: Op,
  layout: StateLayout,
  budget: Budget,
  request: AdmissionRequest,
): Promise<SpareAdmission | null> {
  const dir = join(layout.root, "admission");
  await ensurePrivateDir(dir);
  const granted = await withLock(op, join(layout.locks, "admission"), async () => {
    const tickets = await listTickets(dir);
    const isFree = tickets.every((each) => each.granted) && fits(sum(tickets), request, budget);
    return isFree ? await grantTicket(await openTicket(dir, request)) : null;
  });
  if (granted === null) return null;
  let ticket = granted;
  return {
    async giveTo(group) {
      ticket = await regroupTicket(ticket, group);
    },
    release: () => dropTicket(ticket),
  };
}

/** Whether somebody waits for room. */
export async function isRoomWanted(layout: StateLayout): Promise<boolean> {
  const tickets = await listTickets(join(layout.root, "admission"));
  return tickets.some((each) => !each.granted);
}

async function noRoom(
  op: Op,
  startedAt: number,
  dir: string,
  request: AdmissionRequest,
  budget: Budget,
): Promise<MicroagentError> {
  const seconds = ((op.clock.monotonic() - startedAt) / 1000).toFixed(1);
  const text = await holders(dir, request, budget);
  return new MicroagentError("timeout", `No room for another machine after ${seconds} s: ${text}`, {
    step: op.path,
    hint: "Run fewer machines at once, ask for less memory, or raise the budget",
    details: { ...request, budget },
  });
}

function refuseTooLarge(budget: Budget, { memoryMib, cpus }: AdmissionRequest): void {
  if (memoryMib <= budget.memoryMib && cpus <= budget.cpus && budget.machines >= 1) return;
  throw new MicroagentError(
    "over_budget",
    `A machine with ${memoryMib} MiB and ${cpus} CPUs can never run within a budget of ${budget.memoryMib} MiB, ${budget.cpus} CPUs and ${budget.machines} machines`,
    { hint: "Ask for less, or raise the budget", details: { memoryMib, cpus, budget } },
  );
}

/** Nobody else can make room for a group that is larger than the budget by itself. */
function refuseGroup(tickets: readonly Ticket[], budget: Budget, request: AdmissionRequest): void {
  const own = sum(tickets.filter((each) => each.granted && each.group === request.group));
  if (own.machines === 0 || fits(own, request, budget)) return;
  throw new MicroagentError(
    "over_budget",
    `A machine with ${request.memoryMib} MiB and ${request.cpus} CPUs cannot run beside ${own.machines} machines with ${own.memoryMib} MiB and ${own.cpus} CPUs that are needed with it: the budget is ${budget.memoryMib} MiB, ${budget.cpus} CPUs and ${budget.machines} machines`,
    {
      hint: "Use fewer or smaller machines together, or raise the budget",
      details: { own, budget },
    },
  );
}

/** Whether the waiting ticket `name` is the next one, and has room. Pure. */
export function mayRun(tickets: readonly Ticket[], name: string, budget: Budget): boolean {
  const held = tickets.filter((each) => each.granted);
  const holding = new Set(held.map((each) => each.group));
  const waiting = tickets.filter((each) => !each.granted);
  // Those who hold something come first: they end sooner than those who have not begun.
  const order = [
    ...waiting.filter((each) => holding.has(each.group)),
    ...waiting.filter((each) => !holding.has(each.group)),
  ];
  const mine = order.find((each) => each.name === name);
  if (mine === undefined) return false;
  const used = sum(held);
  for (const each of order) {
    if (!fits(used, each, budget)) break;
    if (each === mine) return true;
    used.memoryMib += each.memoryMib;
    used.cpus += each.cpus;
    used.machines += 1;
  }
  // When everybody who holds something waits for more, nobody will ever give anything back.
  const wanting = new Set(waiting.map((each) => each.group));
  const stuck = holding.size > 0 && [...holding].every((group) => wanting.has(group));
  return stuck && order[0] === mine;
}

function sum(tickets: readonly Ticket[]) {
  return {
    memoryMib: tickets.reduce((total, each) => total + each.memoryMib, 0),
    cpus: tickets.reduce((total, each) => total + each.cpus, 0),
    machines: tickets.length,
  };
}

function fits(
  used: ReturnType<typeof sum>,
  ticket: Pick<Ticket, "memoryMib" | "cpus">,
  budget: Budget,
): boolean {
  return (
    used.memoryMib + ticket.memoryMib <= budget.memoryMib &&
    used.cpus + ticket.cpus <= budget.cpus &&
    used.machines + 1 <= budget.machines
  );
}

async function holders(dir: string, request: AdmissionRequest, budget: Budget): Promise<string> {
  const tickets = await listTickets(dir);
  const used = sum(tickets.filter((each) => each.granted));
  const waiting = tickets.length - used.machines;
  const { cpus, machines } = budget;
  const parts = [
    `${request.memoryMib} MiB and ${request.cpus} CPUs are wanted; ${used.machines} machines hold ${used.memoryMib} of ${budget.memoryMib} MiB`,
    Number.isFinite(cpus) ? ` and ${used.cpus} of ${cpus} CPUs` : "",
    Number.isFinite(machines) ? ` (at most ${machines} machines)` : "",
    `, ${waiting} wait`,
  ];
  return parts.join("");
}
