import type { Command } from "commander";
import { durationFlag } from "../duration-flag.ts";
import { countFlag, wordFlag } from "../flag-values.ts";
import { takesWorkspace, type WorkspaceOptions, workspaceName } from "../named-workspace.ts";
import { statusText } from "../render/status.ts";
import { jsonText, type Terminal } from "../terminal.ts";
import { ttlFlag, ttlOption } from "../ttl-option.ts";
import { waitAndTell } from "../wait-and-tell.ts";
import { withProgress } from "../with-progress.ts";
import { workspaceStatus } from "../workspace-status.ts";

interface StartOptions extends WorkspaceOptions {
  readonly profile?: string;
  readonly memory?: string;
  readonly cpus?: string;
  readonly kernel?: string;
  readonly fromSnapshot?: string;
  readonly ttl?: string;
  readonly wait?: true;
  readonly waitTimeout?: string;
}

export function define(command: Command, terminal: Terminal): void {
  takesWorkspace(command)
    .option("--profile <name>", "Memory and CPUs of a profile, for this start")
    .option("--memory <MiB>", "Guest memory, for this start; wins over --profile")
    .option("--cpus <n>", "Virtual CPUs, for this start; wins over --profile")
    .option("--kernel <name|path>", "Guest kernel, for this start")
    .option(...ttlOption)
    .option("--from-snapshot <tag>", "Go back to a snapshot of it, memory and disk")
    .option("--wait", "Wait until the workspace has ended")
    .option("--wait-timeout <duration>", "Bound on that")
    .addHelpText(
      "after",
      `
Boots the workspace from the disk that its last run left, and returns when it can be reached. A process of its own holds
the machine from then on: neither this terminal nor the end of this command concerns it.

Examples:
  microagent start dev && microagent exec dev -- uname -a
  microagent start nightly --wait --wait-timeout 30m`,
    )
    .action(async (given: string | undefined, options: StartOptions) => {
      const name = workspaceName("start", given, options);
      const { waitTimeout, fromSnapshot } = options;
      const waitMs = waitTimeout === undefined ? null : durationFlag("--wait-timeout", waitTimeout);
      const engine = await import("../../index.ts");
      const change = changeOf(options, engine.profiles);
      const opened = engine.createEngine(engine.stateLayout(options));
      await withProgress(terminal, "start", async (op) => {
        const onOutput = (_stream: string, data: Uint8Array) => terminal.writeErr(data);
        const started = await engine.startWorkspace(op, opened, name, {
          onOutput,
          change,
          fromSnapshot,
        });
        started.close();
        const status = await workspaceStatus(op, opened.layout, name);
        await terminal.writeOut(terminal.json ? jsonText(status) : statusText(status));
        if (options.wait === true) await waitAndTell(op, terminal, opened.layout, name, waitMs);
      });
    });
}

type Profiles = Readonly<Record<string, { readonly memoryMib: number; readonly cpus: number }>>;

/** The machine of this start where it is not the workspace's own. */
function changeOf({ profile, memory, cpus, kernel, ttl }: StartOptions, profiles: Profiles) {
  const named =
    profile === undefined
      ? undefined
      : profiles[wordFlag("--profile", profile, Object.keys(profiles))];
  const memoryMib = memory === undefined ? named?.memoryMib : countFlag("--memory", memory);
  const count = cpus === undefined ? named?.cpus : countFlag("--cpus", cpus);
  return {
    ...(memoryMib === undefined ? {} : { memoryMib }),
    ...(count === undefined ? {} : { cpus: count }),
    ...(kernel === undefined ? {} : { kernel }),
    ttlSeconds: ttlFlag(ttl),
  };
}
