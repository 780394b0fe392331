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

/** Commands of the interface contract that this release does not have yet. */
export const plannedCommands: readonly string[] = [
  "apply",
  "artifact",
  "artifacts",
  "clone",
  "commit",
  "connect",
  "contract",
  "cp",
  "create",
  "delete",
  "events",
  "exec",
  "halt",
  "init",
  "inspect",
  "kill",
  "logs",
  "model",
  "pause",
  "perf",
  "quarantine",
  "registry",
  "resize",
  "result",
  "resume",
  "rm",
  "serve",
  "snapshot",
  "start",
  "stats",
  "status",
  "stop",
  "supervise",
  "volume",
  "wait",
];
