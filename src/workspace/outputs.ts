import { rename, rm } from "node:fs/promises";
import { join, posix } from "node:path";
import type { TreeItem } from "../agent/tree.ts";
import { exceeded, TreeBudget } from "../agent/tree-budget.ts";
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
  /** Lower-case hexadecimal; null for a file whose holes are too large to be hashed. */
  readonly sha256: string | null;
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
  /** The first of them, their names shortened. */
  readonly omissions: readonly Omission[];
  /** All of them. */
  readonly omissionCount: number;
  /** Names of declared outputs that do not exist in the guest. */
  readonly missing: readonly string[];
  /** Outputs that could not be brought out whole, with the reason. */
  readonly incomplete: readonly { readonly output: string; readonly error: MicroagentError }[];
  /** Outputs that were written without some of their entries, which are among the omissions. */
  readonly partial: readonly PartialOutput[];
}

export interface PartialOutput {
  readonly output: string;
  readonly omissionCount: number;
}

/** What a run without outputs collected. */
export const nothingCollected: CollectedOutputs = {
  written: [],
  artifacts: [],
  omissions: [],
  omissionCount: 0,
  missing: [],
  incomplete: [],
  partial: [],
};

/** What has come out so far, to be read whenever the collecting is broken off. */
export class Collection {
  readonly incomplete: { readonly output: string; readonly error: MicroagentError }[] = [];
  readonly #written: string[] = [];
  readonly #artifacts: Artifact[] = [];
  readonly #omissions: Omission[] = [];
  readonly #missing: string[] = [];
  readonly #partial: PartialOutput[] = [];
  #omissionCount = 0;

  add(output: DeclaredOutput, manifest: CollectedTree): void {
    this.#written.push(output.name);
    for (const { path, sizeBytes, sha256, mode } of manifest.files) {
      const guestPath = guestPathOf(output, manifest, path);
      const own = { output: output.name, guestPath, path: `${output.name}/${path}` };
      this.#artifacts.push({ ...own, sizeBytes, sha256, mode });
    }
    const { skippedCount } = manifest;
    this.#omissionCount += skippedCount;
    if (skippedCount > 0) {
      this.#partial.push({ output: output.name, omissionCount: skippedCount });
    }
    for (const { path, type, reason } of manifest.skipped) {
      const guestPath = guestPathOf(output, manifest, path);
      this.#omissions.push({ output: output.name, guestPath, type, reason });
    }
    const { failure } = manifest;
    if (failure !== null) this.incomplete.push({ output: output.name, error: failure });
  }

  addMissing(name: string): void {
    this.#missing.push(name);
  }

  collected(): CollectedOutputs {
    return {
      written: [...this.#written],
      artifacts: [...this.#artifacts],
      omissions: [...this.#omissions],
      omissionCount: this.#omissionCount,
      missing: [...this.#missing],
      incomplete: [...this.incomplete],
      partial: [...this.#partial],
    };
  }

  /** The same when nothing more will come: those of the names that did not are incomplete. */
  brokenOff(names: readonly string[], error: MicroagentError): CollectedOutputs {
    const collected = this.collected();
    const { written, missing, incomplete } = collected;
    const known = new Set([...written, ...missing, ...incomplete.map((each) => each.output)]);
    const lost = names.filter((name) => !known.has(name)).map((output) => ({ output, error }));
    return { ...collected, incomplete: [...incomplete, ...lost] };
  }
}

type CollectedTree = TreeManifest & { readonly single: boolean };

/**
 * Brings the declared outputs out of a living guest into `outputDir/<name>/`. A file arrives under
 * its base name, a directory with its content. What cannot be had is recorded, never thrown: one
 * bad output must not lose the others. All of them share one budget.
 */
export async function collectOutputs(
  op: Op,
  workspace: Workspace,
  declared: readonly DeclaredOutput[],
  outputDir: string,
  collection: Collection,
): Promise<void> {
  const budget = new TreeBudget();
  // Each name of the record stands behind the path of its output.
  let prefixBytes: number = limits.outputs.nameBytesMax;
  const earlier = await outputsOfEarlierRun(outputDir);
  for (const output of declared) {
    try {
      await checkReplaceable(outputDir, output.name, earlier);
      const prefix = Buffer.byteLength(output.path) + output.name.length;
      const entriesMax = Math.floor(prefixBytes / prefix);
      const manifest = await collectOne(op, workspace, output, outputDir, budget, entriesMax);
      prefixBytes -= prefix * manifest.files.length;
      collection.add(output, manifest);
    } catch (error) {
      if (isMicroagentError(error) && error.code === "guest_file_not_found") {
        collection.addMissing(output.name);
        // What an earlier run left under this name would pass for this run's.
        if (earlier.has(output.name)) {
          await rm(join(outputDir, output.name), { recursive: true, force: true }).catch(() => {});
        }
      } else {
        collection.incomplete.push({ output: output.name, error: asMicroagentError(error) });
      }
    }
  }
}

async function collectOne(
  op: Op,
  workspace: Workspace,
  output: DeclaredOutput,
  outputDir: string,
  budget: TreeBudget,
  entriesMax: number,
): Promise<CollectedTree> {
  const left = budget.left;
  const maxEntries = Math.min(left.entries, entriesMax);
  if (maxEntries < 1) throw exceeded("entries", limits.outputs.filesMax);
  if (left.nameBytes < 1) throw exceeded("bytes of names", limits.outputs.nameBytesMax);
  const { bytes: maxBytes, nameBytes: maxNameBytes, records: maxRecords } = left;
  const caps = { maxEntries, maxBytes, maxNameBytes, maxRecords };
  const items = await workspace.get(op, output.path, caps);
  const staging = await workspace.directory.stagingIn(outputDir, output.name);
  try {
    await rm(staging, { recursive: true, force: true });
    await makeDirs(staging);
    const rooted = new RootedItems(items, posix.basename(output.path));
    const { writeHostTree } = await import("../agent/host-tree.ts");
    const manifest = await writeHostTree(op, rooted, staging, budget);
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

/** The error of a run that was told to insist on its outputs and misses some, or entries of some. */
export function missingOutputsError(collected: CollectedOutputs): MicroagentError | null {
  const lost = [...collected.missing, ...collected.incomplete.map((entry) => entry.output)];
  if (lost.length > 0) {
    return outputsError(lost, `Declared output ${quoted(lost)} did not come out of the guest`);
  }
  const partial = collected.partial.map((entry) => entry.output);
  if (partial.length === 0) return null;
  const count = collected.partial.reduce((sum, each) => sum + each.omissionCount, 0);
  return outputsError(
    partial,
    `Declared output ${quoted(partial)} came out of the guest without ${count} of its entries`,
    "manifest.json says which and why; links and special files come out in an archive that the guest packs",
  );
}

function quoted(names: readonly string[]): string {
  return `"${names.join('", "')}"`;
}

function outputsError(outputs: readonly string[], found: string, hint?: string): MicroagentError {
  return new MicroagentError(
    "output_missing",
    `${found}, and --require-outputs wants all of them`,
    { step: "outputs", details: { outputs }, ...(hint === undefined ? {} : { hint }) },
  );
}
