import { createHash } from "node:crypto";
import { z } from "zod";
import type { SavedMachine } from "../../supervisor/port.ts";
import { templateFormat } from "./key.ts";

export const manifestName = "template.json";
/** The manifest of a healthy template has a few kilobytes. */
export const manifestBytesMax: number = 1024 * 1024;

/** One file of a saved machine and how it is known again. */
export interface SavedFile {
  readonly name: string;
  readonly sizeBytes: number;
  /** As `sparseDigest` gives it; null for disks, whose holes would take longer to read than all the rest. */
  readonly digest: string | null;
  readonly modifiedMs: number;
}

export interface Recipe {
  readonly insecureRegistries: readonly string[];
  readonly kernel: string | null;
  readonly arch: "x86_64" | "aarch64" | null;
  readonly accel: "auto" | "kvm" | "hvf" | "tcg";
}

/** What a directory with a saved machine says about itself. */
export interface Manifest {
  readonly format: number;
  /** Tells a rebuilt template from the one before. */
  readonly id: string;
  readonly key: string;
  readonly createdAt: string;
  /** For people: the image's reference and what was run. */
  readonly image: string;
  readonly setup: readonly string[];
  readonly memoryMib: number;
  readonly cpus: number;
  readonly sizeMib: number;
  readonly backend: string;
  /** What else the machine was asked for, to find its image and kernel again. */
  readonly recipe: Recipe;
  readonly saved: SavedMachine;
  readonly files: readonly SavedFile[];
}

const fileName = z.string().regex(/^[a-z0-9][a-z0-9.-]{0,100}$/);
const layer = z.object({ path: fileName, format: z.enum(["raw", "qcow2"]) });
const manifest: z.ZodType<Manifest> = z.object({
  format: z.literal(templateFormat),
  id: z.string().max(64),
  key: z.string().max(200),
  createdAt: z.iso.datetime(),
  image: z.string(),
  setup: z.array(z.string()),
  memoryMib: z.number().int().positive(),
  cpus: z.number().int().positive(),
  sizeMib: z.number().int().positive(),
  backend: z.string(),
  recipe: z.object({
    insecureRegistries: z.array(z.string()),
    kernel: z.string().nullable(),
    arch: z.enum(["x86_64", "aarch64"]).nullable(),
    accel: z.enum(["auto", "kvm", "hvf", "tcg"]),
  }),
  saved: z.object({
    memory: fileName.nullable(),
    state: fileName,
    disks: z.record(z.string(), z.array(layer)),
  }),
  files: z.array(
    z.object({
      name: fileName,
      sizeBytes: z.number().int().nonnegative(),
      digest: z.string().length(64).nullable(),
      modifiedMs: z.number(),
    }),
  ),
});

/** The manifest's text, with a digest that shows a damaged one. */
export function manifestText(value: Manifest): string {
  const text = JSON.stringify(value);
  return `${JSON.stringify({ sha256: sha256(text), manifest: value }, null, 2)}\n`;
}

/** Null when the text is not a whole manifest of this format. */
export function parseManifest(text: string): Manifest | null {
  try {
    const { sha256: digest, manifest: value } = JSON.parse(text) as Record<string, unknown>;
    if (digest !== sha256(JSON.stringify(value))) return null;
    const parsed = manifest.safeParse(value);
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
