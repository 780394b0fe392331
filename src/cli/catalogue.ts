import type { Command } from "commander";
import type { Terminal } from "./terminal.ts";

/** A command's name, its one-line summary, and where its options and action are. */
export interface CatalogueEntry {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly summary: string;
  /** Loaded only when the command is asked for, so that help and start-up stay quick. */
  readonly load: () => Promise<CommandModule>;
}

export interface CommandModule {
  readonly define: (command: Command, terminal: Terminal) => void;
}

export const catalogue: readonly CatalogueEntry[] = [
  {
    name: "dispatch",
    aliases: [],
    summary: "Run an Agentfile once in a fresh microVM and bring its outputs back",
    load: () => import("./commands/dispatch.ts"),
  },
  {
    name: "run",
    aliases: [],
    summary: "Run one command of an image in a fresh microVM",
    load: () => import("./commands/run.ts"),
  },
  {
    name: "create",
    aliases: [],
    summary: "Make a workspace that stays until it is deleted",
    load: () => import("./commands/create.ts"),
  },
  {
    name: "start",
    aliases: [],
    summary: "Start a workspace from the disk that it has",
    load: () => import("./commands/start.ts"),
  },
  {
    name: "exec",
    aliases: [],
    summary: "Run a program in a running workspace",
    load: () => import("./commands/exec.ts"),
  },
  {
    name: "connect",
    aliases: [],
    summary: "Open a shell on a terminal of a running workspace",
    load: () => import("./commands/connect.ts"),
  },
  {
    name: "cp",
    aliases: [],
    summary: "Copy files between this host and a workspace",
    load: () => import("./commands/cp.ts"),
  },
  {
    name: "artifact",
    aliases: ["artifacts"],
    summary: "List what a workspace declares to give and take, and fetch it",
    load: () => import("./commands/artifact.ts"),
  },
  {
    name: "status",
    aliases: [],
    summary: "Show a workspace: state, readiness, result, network",
    load: () => import("./commands/status.ts"),
  },
  {
    name: "inspect",
    aliases: [],
    summary: "The same as status, as JSON",
    load: () => import("./commands/inspect.ts"),
  },
  {
    name: "logs",
    aliases: [],
    summary: "Show the console of a workspace's guest",
    load: () => import("./commands/logs.ts"),
  },
  {
    name: "events",
    aliases: [],
    summary: "Show the states that a workspace has been in",
    load: () => import("./commands/events.ts"),
  },
  {
    name: "result",
    aliases: [],
    summary: "Show what a workspace's command came to",
    load: () => import("./commands/result.ts"),
  },
  {
    name: "stats",
    aliases: [],
    summary: "Show what a running workspace takes of this host",
    load: () => import("./commands/stats.ts"),
  },
  {
    name: "wait",
    aliases: [],
    summary: "Wait until a workspace has ended",
    load: () => import("./commands/wait.ts"),
  },
  {
    name: "pause",
    aliases: [],
    summary: "Freeze a running workspace",
    load: () => import("./commands/pause.ts"),
  },
  {
    name: "resume",
    aliases: [],
    summary: "Let a paused workspace go on",
    load: () => import("./commands/resume.ts"),
  },
  {
    name: "stop",
    aliases: ["halt"],
    summary: "Power a workspace off in good order",
    load: () => import("./commands/stop.ts"),
  },
  {
    name: "kill",
    aliases: [],
    summary: "End a workspace's machine at once",
    load: () => import("./commands/kill.ts"),
  },
  {
    name: "delete",
    aliases: ["rm"],
    summary: "Remove workspaces with their disks and snapshots",
    load: () => import("./commands/delete.ts"),
  },
  {
    name: "snapshot",
    aliases: ["snapshots"],
    summary: "Save running workspaces, list and remove what was saved",
    load: () => import("./commands/snapshot.ts"),
  },
  {
    name: "clone",
    aliases: [],
    summary: "Copy a stopped workspace under another name",
    load: () => import("./commands/clone.ts"),
  },
  {
    name: "spec",
    aliases: [],
    summary: "Check spec files (microagent.yaml)",
    load: () => import("./commands/spec.ts"),
  },
  {
    name: "image",
    aliases: ["images"],
    summary: "Pull, list, tag and remove images",
    load: () => import("./commands/image.ts"),
  },
  {
    name: "rootfs",
    aliases: [],
    summary: "Build a root file system from an image",
    load: () => import("./commands/rootfs.ts"),
  },
  {
    name: "kernel",
    aliases: [],
    summary: "List, install, verify and build guest kernels",
    load: () => import("./commands/kernel.ts"),
  },
  {
    name: "template",
    aliases: ["templates"],
    summary: "List, build and remove machines in which setup has run",
    load: () => import("./commands/template.ts"),
  },
  {
    name: "doctor",
    aliases: ["host"],
    summary: "Check everything a boot needs on this host, and mend it",
    load: () => import("./commands/doctor.ts"),
  },
  {
    name: "secret",
    aliases: [],
    summary: "Check references to secrets, and show who read which",
    load: () => import("./commands/secret.ts"),
  },
  {
    name: "ps",
    aliases: ["list", "ls"],
    summary: "Show the workspaces of the state directory",
    load: () => import("./commands/ps.ts"),
  },
  {
    name: "gc",
    aliases: [],
    summary: "Collect what dead runs left behind",
    load: () => import("./commands/gc.ts"),
  },
  {
    name: "report",
    aliases: [],
    summary: "Show runs that are over: a page about one, a summary of several",
    load: () => import("./commands/report.ts"),
  },
  {
    name: "egress",
    aliases: [],
    summary: "Show what a workspace reached on the network and what it was denied",
    load: () => import("./commands/egress.ts"),
  },
  {
    name: "network",
    aliases: [],
    summary: "Show a workspace's network",
    load: () => import("./commands/network.ts"),
  },
  {
    name: "profiles",
    aliases: [],
    summary: "Show the resource profiles",
    load: () => import("./commands/profiles.ts"),
  },
  {
    name: "version",
    aliases: [],
    summary: "Show the version",
    load: () => import("./commands/version.ts"),
  },
];

/** Commands of the interface contract that this release does not have, and what there is instead. */
export const plannedCommands: ReadonlyMap<string, string> = new Map([
  [
    "apply",
    "Make another workspace (microagent create NAME --file microagent.yaml), or change one start (microagent start NAME --memory MiB --cpus N)",
  ],
  [
    "commit",
    "microagent snapshot create NAME --tag TAG keeps the whole machine, microagent clone NAME COPY its disk",
  ],
  ["contract", ""],
  ["init", ""],
  ["model", ""],
  ["perf", ""],
  [
    "quarantine",
    "microagent pause NAME freezes it, microagent snapshot create NAME keeps it, microagent kill NAME --reason TEXT ends it",
  ],
  ["registry", "Credentials come from config.json and its helpers, as docker login leaves them"],
  ["resize", "Make another workspace with the size: microagent create NAME --size-mib MiB"],
  ["serve", ""],
  ["supervise", "Loop around: microagent start NAME --wait (exit code 1 when it has failed)"],
  ["volume", "microagent cp brings files in and out, also while the workspace does not run"],
]);
