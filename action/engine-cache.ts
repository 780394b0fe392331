import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { stateLayout } from "../src/index.ts";

/** One kind of thing that is carried from run to run. */
export interface CacheEntry {
  readonly what: "kernel" | "image" | "template";
  /** Absolute paths; the same on every run, for they are part of an entry's identity. */
  readonly paths: readonly string[];
  /** Everything that must agree for an entry to be of use. */
  readonly prefix: string;
}

/** What a kernel depends on: known before anything is installed. */
export function kernelEntry(stateDir: string, arch: string, version: string): CacheEntry {
  return {
    what: "kernel",
    paths: [stateLayout({ stateDir }).kernels],
    prefix: prefixOf("kernel", arch, [version]),
  };
}

/** An image's layers as they were fetched: file systems are made of them, and would come back without their holes. */
export function imageEntry(stateDir: string, arch: string, image: string): CacheEntry {
  const { images } = stateLayout({ stateDir });
  return {
    what: "image",
    paths: [join(images, "blobs"), join(images, "names")],
    prefix: prefixOf("image", arch, [image]),
  };
}

export interface TemplateFacts {
  readonly version: string;
  /** Version and acceleration of the VMM. */
  readonly vmm: string;
  /** Model and features of the processor. */
  readonly cpu: string;
  /** What the machine and its setup are made from. */
  readonly machine: unknown;
}

/** Saved machines: of use only to the same VMM on the same processor. */
export function templateEntry(stateDir: string, arch: string, facts: TemplateFacts): CacheEntry {
  const { version, vmm, cpu, machine } = facts;
  return {
    what: "template",
    paths: [stateLayout({ stateDir }).templates],
    prefix: prefixOf("template", arch, [version, vmm, cpu, machine]),
  };
}

/** Model and features of this host's processor, as the kernel lists them. */
export async function processorOf(path = "/proc/cpuinfo"): Promise<string> {
  const text = await readFile(path, "utf8").catch(() => "");
  const line = (name: string) => new RegExp(`^${name}\\s*:\\s*(.*)$`, "m").exec(text)?.[1] ?? "";
  const model = cpus()[0]?.model ?? "unknown";
  return JSON.stringify([
    model,
    line("model name"),
    line("stepping"),
    line("flags"),
    line("Features"),
  ]);
}

/** Goes up when the form of an entry changes. */
const form = 1;

function prefixOf(what: string, arch: string, parts: readonly unknown[]): string {
  const hash = createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 24);
  return `microagent-${what}-${form}-${arch}-${hash}-`;
}
