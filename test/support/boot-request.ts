import { nothingAttached } from "../../src/workspace/attachments.ts";
import type { BootRequest } from "../../src/workspace/boot.ts";
import type { TemplateRequest } from "../../src/workspace/templates/template.ts";

/** A boot with everything ordinary, for changing. */
export function someBoot(image: string, change: Partial<BootRequest> = {}): BootRequest {
  return {
    name: "some",
    image,
    pull: "missing",
    insecureRegistries: [],
    kernel: undefined,
    arch: undefined,
    accel: "auto",
    memoryMib: 256,
    cpus: 1,
    sizeMib: 256,
    hostname: "some",
    attach: nothingAttached,
    bounds: { pullMs: 60_000, bootMs: 120_000 },
    ...change,
  };
}

/** A template of that machine with nothing in it, for changing. */
export function someTemplate(
  boot: BootRequest,
  change: Partial<TemplateRequest> = {},
): TemplateRequest {
  return {
    boot,
    setup: [],
    shell: "/bin/sh",
    env: {},
    files: [],
    ready: null,
    setupTimeoutMs: 200_000,
    ...change,
  };
}
