import {
  type BootRequest,
  cloneTemplate,
  MicroagentError,
  type Op,
  parseHostRule,
  randomHex,
  realClock,
  startSaved,
  type Workspace,
} from "../../src/index.ts";
import { Life } from "../machine/life.ts";
import { Machine } from "../machine/machine.ts";
import type { MachinePort } from "../machine/port.ts";
import type { Attempt } from "./attempt.ts";
import { explainingBroken, workerHost } from "./host.ts";
import { roomFor } from "./room.ts";
import { warmMachines } from "./warm.ts";

/** What a test asks for. */
export interface MachineSpec {
  /** Default: that of the configuration. */
  readonly template?: string | undefined;
  /** Default: `vm`. Also the host name. */
  readonly name?: string | undefined;
  readonly hostname?: string | undefined;
  /** A machine that was kept when its test failed, `WORKSPACE:TAG`: starts it as it was then. Of the same template. */
  readonly snapshot?: string | undefined;
  /** Names that the guest may connect to, and the ports of other machines that they stand for. Its template needs `network`. */
  readonly reach?: Readonly<Record<string, MachinePort>> | undefined;
}

/** Whose machines they are: a test's, or a file's. */
export interface Owner {
  /** Machines of one group are needed together; `[a-z0-9]`. */
  readonly group: string;
  readonly signal: AbortSignal | undefined;
  /** What there is left of the test, 0 for no limit. */
  readonly leftMs: number;
}

/** Starts one machine for a test: room first, then a clone. */
export async function startMachine(
  spec: MachineSpec,
  owner: Owner,
  attempt: Attempt,
): Promise<Machine> {
  if (attempt.over !== null) throw tooLate(attempt.over);
  const host = workerHost();
  const { settings } = host;
  const template = spec.template ?? settings.template;
  if (template === null) {
    throw new MicroagentError("invalid_argument", "There is no template to clone a machine from", {
      hint: 'Declare one in vitest.config.ts: microvm({ templates: { alpine: "alpine:3.20" } })',
    });
  }
  const life = new Life(settings.timeouts, owner.signal, owner.leftMs);
  const found = await life.during("template", {}, settings.timeouts.boot, (op) =>
    host.template(op, template),
  );
  const { boot, shell, env } = found.request;
  const base = spec.name ?? "vm";
  const hostname = spec.hostname ?? base.replace(/[^A-Za-z0-9-]/g, "-").slice(0, 63);
  const room = () => roomFor(host, life, owner.group, boot);
  const isPlain = spec.snapshot === undefined && spec.reach === undefined;
  const ready = isPlain
    ? await life.during("clone", {}, settings.timeouts.boot, (op) =>
        warmMachines().take(op, host, { template: found, hostname }, owner.group),
      )
    : null;
  const { giveBack, waitedMs } = ready ?? (await room());
  try {
    const name = ready?.workspace.name ?? `vitest-${hostname.slice(0, 40)}-${randomHex(4)}`;
    const attach = await attachmentsFor(boot, spec.reach ?? {}, template);
    const start = async (op: Op, fresh: string, called: string): Promise<Workspace> => {
      const own = { name: fresh, hostname: called, bootMs: settings.timeouts.boot, attach };
      if (spec.snapshot !== undefined) {
        return await startSaved(op, host.engine, savedName(spec.snapshot), own);
      }
      const again = await host.template(op, template);
      return await explainingBroken(template, cloneTemplate(op, host.engine, again, own));
    };
    const workspace =
      ready?.workspace ??
      (await life.during("clone", {}, settings.timeouts.boot, (op) => start(op, name, hostname)));
    const machine = new Machine(
      {
        engine: host.engine,
        name,
        hostname,
        shell,
        env,
        template,
        memoryMib: boot.memoryMib,
        life,
        begunAtMs: realClock.now(),
        waitedMs,
        start,
        room: async (count) => {
          const rooms: (() => Promise<void>)[] = [];
          for (let index = 0; index < count; index++) rooms.push((await room()).giveBack);
          return rooms;
        },
        adopt: (fork, forkGivesBack) => void attempt.take(fork, forkGivesBack),
      },
      workspace,
    );
    await attempt.take(machine, giveBack);
    if (attempt.over !== null) throw tooLate(attempt.over);
    return machine;
  } catch (error) {
    await ready?.workspace.close();
    await giveBack();
    throw error;
  }
}

function savedName(text: string): { workspace: string; tag: string } {
  const [, workspace, tag] = /^([^:]+):([^:]+)$/.exec(text) ?? [];
  if (workspace !== undefined && tag !== undefined) return { workspace, tag };
  throw new MicroagentError("invalid_argument", `Snapshot is "${text}", wanted "WORKSPACE:TAG"`, {
    hint: "The report of a failed test says which, when onFailure.snapshot is set",
  });
}

/** The template's connections, with a way to other machines of the test. */
async function attachmentsFor(
  boot: BootRequest,
  reach: Readonly<Record<string, MachinePort>>,
  template: string,
): Promise<BootRequest["attach"]> {
  const { attach } = boot;
  const names = Object.entries(reach);
  if (names.length === 0) return attach;
  const { network } = attach;
  if (network === null) {
    throw new MicroagentError(
      "invalid_argument",
      `Template "${template}" has no network to reach others by`,
      {
        hint: "Give it one: network: { allow: [] }",
      },
    );
  }
  const allow = [...network.policy.allow];
  const hostMap = new Map(network.policy.hostMap);
  for (const [name, port] of names) {
    // A port of another machine may speak any protocol: a rule without ports allows TLS and HTTP alone.
    const rule = parseHostRule(`${name}:1-65535`);
    if (typeof rule === "string") throw new MicroagentError("invalid_argument", rule);
    const { host, port: number } = await port.expose();
    allow.push(rule);
    hostMap.set(name, { address: host, port: number });
  }
  return { ...attach, network: { ...network, policy: { ...network.policy, allow, hostMap } } };
}

function tooLate(reason: string): MicroagentError {
  return new MicroagentError("closed", `No machine is started any more: ${reason}`);
}
