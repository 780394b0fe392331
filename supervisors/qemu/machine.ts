import { type FileHandle, open } from "node:fs/promises";
import type { Duplex, Readable } from "node:stream";
import { MicroagentError } from "../../src/base/errors.ts";
import type { Clock, Op } from "../../src/base/op.ts";
import { fileError } from "../../src/host/file-error.ts";
import {
  type MemoryKillMark,
  markMemoryKills,
  memoryKillHint,
  memoryKillSince,
  sayMemoryKill,
} from "../../src/host/memory-kill.ts";
import { type ChildExit, type ChildHandle, spawnChild } from "../../src/host/spawn-child.ts";
import { captureConsole } from "../../src/supervisor/console.ts";
import type { Machine, MachineExit, OutOfMemory } from "../../src/supervisor/port.ts";
import { type Control, openControl } from "./control.ts";
import { DiskChain, virtualSize } from "./disk-chain.ts";
import { classifyExit, complaint } from "./exit.ts";
import { loadState } from "./migration.ts";
import { inheritedFds, type QemuPlan } from "./plan.ts";
import { makeOverlay } from "./qcow2.ts";
import { remember } from "./running.ts";

/** QEMU says at most a few lines; the rest of a flood is dropped. */
const stderrBytesMax = 64 * 1024;
/** How long the last bytes of a dead QEMU's sockets may take to reach us. */
const drainMs = 500;
/** How long QEMU may take to say why it ends. */
const lastWordsMs = 500;
/** How long QEMU may take to write back and end before it is killed. */
const quitMs = 250;

/**
 * Starts QEMU and resolves when it runs the guest. `vmm_failed` with QEMU's own words when it dies at
 * once; on every failure nothing is left running.
 */
export async function startQemu(op: Op, plan: QemuPlan): Promise<Machine> {
  await makeOverlays(plan);
  const state = await openState(plan);
  const console = await captureConsole(plan.consolePath);
  const memoryKills = markMemoryKills();
  const child = await spawnChild({
    file: plan.file,
    args: plan.args,
    stdio: [
      "ignore",
      "ignore",
      ...(["pipe", "pipe", "pipe", "pipe"] as const),
      ...(state === null ? [] : [state.fd]),
    ],
    parentDeathSignal: true,
    noNewPrivileges: true,
  })
    .catch(async (error: unknown) => {
      await console.close();
      throw error;
    })
    .finally(() => state?.close());
  const link = socketAt(child, inheritedFds.agent);
  // Whoever uses the link hears of its end by the stream itself; an error nobody hears would end us.
  link.on("error", () => {});
  const consoleSocket = socketAt(child, inheritedFds.console);
  console.attach(consoleSocket);
  const control = openControl(socketAt(child, inheritedFds.control));
  const stderr = captureText(child.stdio[2] as Readable | null);
  let requested: string | null = null;

  const exit: Promise<MachineExit> = child.exit.then(async (ended: ChildExit) => {
    await within(
      op.clock,
      drainMs,
      Promise.all([console.finished, control.ended, stderr.finished]),
    );
    closeUnread(link);
    consoleSocket.destroy();
    return classifyExit({
      ...ended,
      requested,
      shutdownReason: control.shutdownReason(),
      consoleTail: console.tail(),
      stderr: stderr.text(),
      outOfMemory: outOfMemorySince(memoryKills),
    });
  });

  async function kill(reason: string): Promise<MachineExit> {
    if (!child.exited) {
      requested ??= reason;
      if (plan.disposable) child.kill("SIGKILL");
      else await endInOrder(op.clock, child, control);
    }
    return await exit;
  }

  try {
    await op.race(running(control, exit, () => stderr.text()));
    if (plan.statePath !== null) {
      const state = {
        path: plan.statePath,
        fd: inheritedFds.state,
        vmmVersion: plan.vmmVersion,
        memory: plan.sharedMemory ? "stream" : "file",
      } as const;
      await loadState(op, control, state).catch(async (error: unknown) => {
        op.check();
        await within(op.clock, lastWordsMs, exit);
        throw unfit(complaint(stderr.text()), error);
      });
    }
  } catch (error) {
    await kill("the start failed");
    throw error;
  }
  const command = async (step: Op, name: string) => {
    if (child.exited) throw closed(plan.name);
    await control.execute(step, name);
  };
  const machine: Machine = {
    name: plan.name,
    pid: child.pid,
    link,
    exit,
    consoleTail: () => console.tail(),
    kill,
    freezer: {
      pause: (step) => command(step, "stop"),
      resume: (step) => command(step, "cont"),
    },
  };
  const chains = plan.disks.flatMap((disk, index) =>
    disk.readOnly ? [] : [new DiskChain(disk, index)],
  );
  return remember(machine, { pid: child.pid, plan, control, chains });
}

/** Copy-on-write disks are made here: nothing but this machine ever uses them. */
async function makeOverlays(plan: QemuPlan): Promise<void> {
  for (const { path, layers, continues } of plan.disks) {
    if (layers !== undefined && layers.length > 0 && continues !== true) {
      await makeOverlay(path, await virtualSize(layers));
    }
  }
}

async function openState(plan: QemuPlan): Promise<FileHandle | null> {
  if (plan.statePath === null) return null;
  try {
    return await open(plan.statePath, "r");
  } catch (error) {
    throw fileError(error, `Saved state "${plan.statePath}" cannot be read`);
  }
}

function outOfMemorySince(mark: MemoryKillMark): OutOfMemory | null {
  const found = memoryKillSince(mark);
  if (found === null) return null;
  const { limitMib, certain } = found;
  const sentence = sayMemoryKill("the VMM process", found);
  return { sentence, hint: memoryKillHint(found), limitMib, certain };
}

function unfit(words: string | null, cause: unknown): MicroagentError {
  const said = words ?? (cause instanceof Error ? cause.message : String(cause));
  return new MicroagentError("vmm_failed", `QEMU cannot start from the saved machine: ${said}`, {
    cause,
  });
}

/** Resolves when QEMU takes commands, rejects with its own words when it ends before that. */
async function running(
  control: Control,
  exit: Promise<MachineExit>,
  stderr: () => string,
): Promise<void> {
  const early = await Promise.race([
    control.ready.then(
      () => null,
      () => exit,
    ),
    exit,
  ]);
  if (early === null) return;
  const memory = early.kind === "killed" ? early.outOfMemory : null;
  const detail =
    memory?.sentence ??
    complaint(stderr()) ??
    (early.kind === "crashed" ? early.detail : early.kind);
  throw new MicroagentError("vmm_failed", `QEMU ended right after its start: ${detail}`, {
    hint: memory?.hint ?? "See what QEMU can do on this host with: microagent doctor",
    details: { exit: early.kind, stderr: stderr() },
  });
}

async function endInOrder(clock: Clock, child: ChildHandle, control: Control): Promise<void> {
  control.quit();
  await within(clock, quitMs, child.exit);
  child.kill("SIGKILL");
}

function socketAt(child: ChildHandle, fd: number): Duplex {
  const socket = child.stdio[fd];
  if (socket === null || socket === undefined) {
    throw new MicroagentError("internal", `Descriptor ${fd} of QEMU has no socket`);
  }
  return socket as Duplex;
}

function captureText(stream: Readable | null): { text(): string; finished: Promise<void> } {
  let text = "";
  const finished = new Promise<void>((resolve) => {
    if (stream === null) return resolve();
    stream.setEncoding("utf8");
    stream.on("data", (chunk: string) => {
      if (text.length < stderrBytesMax) text += chunk;
    });
    stream.on("error", () => {});
    stream.once("close", resolve);
  });
  return { text: () => text, finished };
}

/** A reader still gets what the dead machine had said, and then its end; without one it ends now. */
function closeUnread(link: Duplex): void {
  const isRead = link.listenerCount("data") > 0 || link.listenerCount("readable") > 0;
  if (!isRead) link.destroy();
}

function within(clock: Clock, ms: number, promise: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(ms, resolve);
    void promise.then(() => {
      cancel();
      resolve();
    });
  });
}

function closed(name: string): MicroagentError {
  return new MicroagentError("closed", `Machine "${name}" has ended`);
}
