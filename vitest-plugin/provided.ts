import type { BootRequest, RunPlan } from "../src/index.ts";
import type { Settings } from "./options.ts";

/** A template as the workers know it. */
export interface ProvidedTemplate {
  /** Null: no selected test file names it, so it was not built. */
  readonly key: string | null;
  readonly boot: BootRequest;
  /** What `boot` was made of, for machines that are kept. */
  readonly plan: RunPlan;
  readonly shell: string;
  readonly env: Readonly<Record<string, string>>;
}

/** What the main process tells the workers. */
export interface Provided {
  readonly settings: Settings;
  readonly templates: Readonly<Record<string, ProvidedTemplate>>;
}

declare module "vitest" {
  interface ProvidedContext {
    microvm: Provided;
  }
}
