/** The test half of the Vitest plugin: `test` with machines, and Vitest's own words beside it. */
// First of all: a compiler that meets our matchers before Vitest's own words does not join them.
import "vitest";
import "./matchers/types.ts";
import "./provided.ts";

export { describe, expect } from "vitest";
export type { MachineArtifact } from "./evidence/collect.ts";
export type { Exec, ExecOptions, ExecResult } from "./machine/exec.ts";
export type { CallBound } from "./machine/life.ts";
export { Machine } from "./machine/machine.ts";
export type { ExposedPort, FetchOptions, MachinePort } from "./machine/port.ts";
export type { ShellValue } from "./machine/shell-words.ts";
export type { SpawnEnd, Spawned, SpawnOptions } from "./machine/spawn.ts";
export type { HttpWait, WaitFor } from "./machine/wait.ts";
export type { FileFacts } from "./matchers/machine.ts";
export { type Boot, test, vmTest } from "./worker/fixtures.ts";
export type { MachineSpec } from "./worker/start.ts";
