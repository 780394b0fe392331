/** The `./testing` door: the in-memory backend and everything that makes it fail on demand. */
export { type MachineFault, MemoryControl } from "./control.ts";
export type { MemoryFiles } from "./guest-files.ts";
export type {
  GuestFault,
  GuestScript,
  Program,
  ProgramEnd,
  ProgramRun,
} from "./guest-script.ts";
export type { MemoryPlan } from "./plan.ts";
export { createMemorySupervisor, type MemoryOptions, type MemorySupervisor } from "./supervisor.ts";
