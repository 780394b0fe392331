import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RunnerTestCase, recordArtifact } from "vitest";
import { globGuest, type Op, readGuestFile, withOp } from "../../src/index.ts";
import type { Machine } from "../machine/machine.ts";
import type { Host } from "../worker/host.ts";
import { keepMachine } from "./keep.ts";
import { machineReport } from "./report.ts";

declare module "vitest" {
  interface TestArtifactRegistry {
    "microagent:machine": MachineArtifact;
  }
  interface TaskMeta {
    /** After a failure: what is told of each of the test's machines, for reporters that print no causes. */
    microvmEvidence?: readonly string[] | undefined;
  }
}

/** What is kept of a machine whose test has failed. */
export interface MachineArtifact {
  type: "microagent:machine";
  machine: string;
  template: string;
  ending: string;
  attachments?: Attachment[];
}

interface Attachment {
  readonly name: string;
  readonly contentType: string;
  /** A file that Vitest copies to where it keeps what belongs to tests. */
  readonly path: string;
}

interface Kept {
  readonly name: string;
  readonly contentType: string;
  readonly body: string | Uint8Array;
}

const filesMax = 20;
const fileBytesMax = 4 * 1024 * 1024;

/**
 * Keeps what can be known of a failed test's machines, as long as they are there: in the failure that Vitest prints,
 * and as an artifact. Whatever cannot be had is left out; nothing here fails a test.
 */
export async function collectEvidence(
  task: RunnerTestCase,
  machines: readonly Machine[],
  host: Host,
): Promise<void> {
  const reports: string[] = [];
  for (const machine of machines) {
    if (machine.over !== null && machine.transcript.last(1).length === 0) continue;
    const ending = await endingOf(machine);
    const kept = await keep(machine, task.name, host);
    const report = machineReport(machine, ending, host.settings);
    reports.push(kept === null ? report : `${report}\n${kept}`);
    await attach(task, machine, ending, host).catch(() => {});
  }
  if (reports.length === 0) return;
  tell(task, reports.join("\n\n"));
  task.meta.microvmEvidence = reports;
}

/** Leaves the frames of the test's own files: what happens inside of a machine's verb helps nobody. */
export function withoutOurFrames(task: RunnerTestCase, ourDir: string): void {
  for (const error of task.result?.errors ?? []) {
    let each: { stack?: unknown; cause?: unknown } = error;
    for (let depth = 0; depth < 10; depth++) {
      if (typeof each.stack === "string") each.stack = ownFrames(each.stack, ourDir);
      if (!isObject(each.cause)) break;
      each = each.cause;
    }
  }
}

function ownFrames(stack: string, ourDir: string): string {
  return stack
    .split("\n")
    .filter((line) => !/^\s+at /.test(line) || !line.includes(ourDir))
    .join("\n");
}

/** Vitest prints the cause of the last error below it, whatever the reporter. */
function tell(task: RunnerTestCase, text: string): void {
  const error = task.result?.errors?.at(-1);
  if (error === undefined) return;
  let last: { cause?: unknown } = error;
  for (let depth = 0; depth < 10 && isObject(last.cause); depth++) last = last.cause;
  last.cause = { name: "Machines of this test", message: `\n${text}`, stack: "", stacks: [] };
}

function isObject(value: unknown): value is { cause?: unknown } {
  return typeof value === "object" && value !== null;
}

async function endingOf(machine: Machine): Promise<string> {
  if (machine.over !== null) return `ended by the test: ${machine.over}`;
  const exit = await Promise.race([machine.exit, Promise.resolve(null)]);
  if (exit === null) return "running";
  switch (exit.kind) {
    case "requested":
      return `ended: ${exit.reason}`;
    case "guest-shutdown":
      return "powered itself off";
    case "crashed":
      return `crashed: ${exit.detail}`;
    case "killed":
      return exit.outOfMemory?.sentence ?? `was killed with ${exit.signal}`;
  }
}

/** The machine as it was, for later. */
async function keep(machine: Machine, test: string, host: Host): Promise<string | null> {
  if (!host.settings.onFailure.snapshot || machine.over !== null) return null;
  return await within(host, (op) => keepMachine(op, machine, test, host)).catch(
    (error: unknown) => `not saved: ${error instanceof Error ? error.message : String(error)}`,
  );
}

async function attach(task: RunnerTestCase, machine: Machine, ending: string, host: Host) {
  const kept: Kept[] = [
    text(`${machine.hostname}-transcript.txt`, machine.transcript.text()),
    text(`${machine.hostname}-console.txt`, await wholeConsole(machine)),
  ];
  if (machine.over === null) kept.push(...(await guestFiles(machine, host).catch(() => [])));
  const dir = await mkdtemp(join(tmpdir(), "microagent-evidence-"));
  try {
    const attachments: Attachment[] = [];
    for (const { name, contentType, body } of kept) {
      const path = join(dir, name);
      await writeFile(path, body);
      attachments.push({ name, contentType, path });
    }
    const { name, template } = machine;
    const artifact: MachineArtifact = {
      type: "microagent:machine",
      machine: name,
      template,
      ending,
      attachments,
    };
    await recordArtifact(task, artifact as never);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** All that its file holds, which is bounded where it is written; its end when the file has gone. */
async function wholeConsole(machine: Machine): Promise<string> {
  return await readFile(machine.consolePath, "utf8").catch(() => machine.consoleTail);
}

function text(name: string, body: string): Kept {
  return { name, contentType: "text/plain", body };
}

async function guestFiles(machine: Machine, host: Host): Promise<Kept[]> {
  const { files } = host.settings.onFailure;
  if (files.length === 0) return [];
  return await within(host, async (op) => {
    const found: Kept[] = [];
    for (const pattern of files) {
      for (const path of await globGuest(op, machine.workspace, pattern)) {
        if (found.length >= filesMax) return found;
        const bytes = await readGuestFile(op, machine.workspace, path, fileBytesMax).catch(
          () => null,
        );
        const name = `${machine.hostname}${path.replaceAll("/", "-")}`;
        if (bytes !== null)
          found.push({ name, contentType: "application/octet-stream", body: bytes });
      }
    }
    return found;
  });
}

function within<T>(host: Host, work: (op: Op) => Promise<T>): Promise<T> {
  return withOp("evidence", { timeoutMs: host.settings.timeouts.teardown / 2 }, work);
}
