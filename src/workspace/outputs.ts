import { rename, rm } from "node:fs/promises";
import { join, posix } from "node:path";
import type { TreeItem } from "../agent/tree.ts";
import type { TreeManifest } from "../agent/tree-manifest.ts";
import { asMicroagentError, isMicroagentError, MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Op } from "../base/op.ts";
import { makeDirs } from "../host/make-dirs.ts";
import { outputDirError } from "./output-dir.ts";
import { checkReplaceable, outputsOfEarlierRun } from "./output-ownership.ts";
import type { Workspace } from "./workspace.ts";

/** An output as the spec declares it: a safe name and an absolute guest path. */
export interface DeclaredOutput {
  readonly name: string;
  readonly path: string;
}

/** One regular file that came out of the guest. */
export interface Artifact {
  /** Name of the declared output it belongs to. */
  readonly output: string;
  readonly guestPath: string;
  /** Relative to the output directory, with forward slashes. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
  /** Permission bits in the guest. */
  readonly mode: number;
}

/** An entry of an output that was recorded but not brought out: links, devices, refused names. */
export interface Omission {
  readonly output: string;
  readonly guestPath: string;
  readonly type: string;
  readonly reason: string;
}

export interface CollectedOutputs {
  /** Names whose directory was written. */
  readonly written: readonly string[];
  readonly artifacts: readonly Artifact[];
  readonly omissions: readonly Omission[];
  /** Names of declared outputs that do not exist in the guest. */
  readonly missing: readonly string[];
  /** Outputs that could not be brought out whole, with the reason. */
  readonly incomplete: readonly { readonly output: string; readonly error: MicroagentError }[];
}

/** What a run without outputs collected. */
export const nothingCollected: CollectedOutputs = {
  written: [],
  artifacts: [],
  omissions: [],
  missing: [],
  incomplete: [],
};

/**
 * Brings the declared outputs out of a living guest into `outputDir/<name>/`. A file arrives under
 * its base name, a directory with its content. What cannot be had is recorded, never thrown: one
 * bad output must not lose the others.
 */
export async function collectOutputs(
  op: Op,
  workspace: Workspace,
  declared: readonly DeclaredOutput[],
  outputDir: string,
): Promise<CollectedOutputs> {
  const written: string[] = [];
  const artifacts: Artifact[] = [];
  const omissions: Omission[] = [];
  const missing: string[] = [];
  const incomplete: { output: string; error: MicroagentError }[] = [];
  const caps = { files: limits.outputs.filesMax, bytes: limits.outputs.bytesMax };

  const earlier = await outputsOfEarlierRun(outputDir);
  for (const output of declared) {
    try {
      await checkReplaceable(outputDir, output.name, earlier);
      const manifest = await collectOne(op, workspace, output, outputDir, caps);
      written.push(output.name);
      for (const file of manifest.files) {
        caps.files -= 1;
        caps.bytes -= file.sizeBytes;
        artifacts.push({
          output: output.name,
          guestPath: guestPathOf(output, manifest, file.path),
          path: `${output.name}/${file.path}`,
          sizeBytes: file.sizeBytes,
          sha256: file.sha256,
          mode: file.mode,
        });
      }
      for (const skipped of manifest.skipped) {
        omissions.push({
          output: output.name,
          guestPath: guestPathOf(output, manifest, skipped.path),
          type: skipped.type,
          reason: skipped.reason,
        });
      }
      if (manifest.failure !== null) {
        incomplete.push({ output: output.name, error: manifest.failure });
      }
    } catch (error) {
      if (isMicroagentError(error) && error.code === "guest_file_not_found") {
        missing.push(output.name);
        // What an earlier run left under this name would pass for this run's.
        if (earlier.has(output.name)) {
          await rm(join(outputDir, output.name), { recursive: true, force: true }).catch(() => {});
        }
      } else {
        incomplete.push({ output: output.name, error: asMicroagentError(error) });
      }
    }
  }
  return { written, artifacts, omissions, missing, incomplete };
}

async function collectOne(
  op: Op,
  workspace: Workspace,
  output: DeclaredOutput,
  outputDir: string,
  caps: { readonly files: number; readonly bytes: number },
): Promise<TreeManifest & { readonly single: boolean }> {
  const items = await workspace.get(op, output.path, {
    maxEntries: caps.files,
    maxBytes: caps.bytes,
  });
  const staging = await workspace.directory.stagingIn(outputDir, output.name);
  try {
    await rm(staging, { recursive: true, force: true });
    await makeDirs(staging);
    const rooted = new RootedItems(items, posix.basename(output.path));
    const { writeHostTree } = await import("../agent/host-tree.ts");
    const manifest = await writeHostTree(op, rooted, staging, {
      entriesMax: caps.files,
      bytesMax: caps.bytes,
    });
    const target = join(outputDir, output.name);
    await rm(target, { recursive: true, force: true });
    await rename(staging, target);
    return { ...manifest, single: rooted.single };
  } catch (error) {
    await rm(staging, { recursive: true, force: true }).catch(() => {});
    throw outputDirError(error, `Output directory "${outputDir}" cannot be written`);
  }
}

/** The items of one output; a lone file gets its base name, since a tree's root has none. */
class RootedItems implements AsyncIterable<TreeItem> {
  single = false;
  readonly #items: AsyncIterable<TreeItem>;
  readonly #baseName: string;

  constructor(items: AsyncIterable<TreeItem>, baseName: string) {
    this.#items = items;
    this.#baseName = baseName;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<TreeItem> {
    let first = true;
    for await (const item of this.#items) {
      if (first && item.kind === "entry" && item.entry.path === "" && item.entry.type !== "dir") {
        this.single = true;
        yield { ...item, entry: { ...item.entry, path: this.#baseName } };
      } else {
        yield item;
      }
      first = false;
    }
  }
}

function guestPathOf(
  output: DeclaredOutput,
  manifest: { readonly single: boolean },
  path: string,
): string {
  return manifest.single || path === "" ? output.path : posix.join(output.path, path);
}

/** The error of a run that was told to insist on its outputs and misses some. */
export function missingOutputsError(collected: CollectedOutputs): MicroagentError | null {
  const names = [...collected.missing, ...collected.incomplete.map((entry) => entry.output)];
  if (names.length === 0) return null;
  return new MicroagentError(
    "output_missing",
    `Declared output "${names.join('", "')}" did not come out of the guest, and --require-outputs wants all of them`,
    { step: "outputs", details: { outputs: names } },
  );
}
