import { join } from "node:path";
import { asMicroagentError, errnoOf, isMicroagentError, MicroagentError } from "../base/errors.ts";
import type { Op } from "../base/op.ts";
import { printable } from "../channel/printable.ts";
import { makeDirs } from "../host/make-dirs.ts";
import { HostDirectories } from "./host-directories.ts";
import { HostFile } from "./host-file.ts";
import { pathRefusal } from "./output-path.ts";
import type { TreeEntry, TreeItem } from "./tree.ts";
import type { TreeBudget } from "./tree-budget.ts";
import type { SkippedEntry, TreeManifest, WrittenFile } from "./tree-manifest.ts";

/** Errors of one entry: it is recorded and the rest goes on. Everything else ends the transfer. */
const entryErrnos: ReadonlySet<string> = new Set([
  "EEXIST",
  "ENOTDIR",
  "EISDIR",
  "ELOOP",
  "ENAMETOOLONG",
  "EINVAL",
  "EILSEQ",
  "EFBIG",
  "ENOTEMPTY",
]);

/** Takes the items of one tree in order and makes files and directories of them. */
export class HostTreeWriter {
  readonly #op: Op;
  readonly #destDir: string;
  readonly #budget: TreeBudget;
  readonly #directories: HostDirectories;
  readonly #files: WrittenFile[] = [];
  readonly #skipped: SkippedEntry[] = [];
  readonly #seen = new Set<string>();
  #directoryCount = 0;
  #skippedCount = 0;
  #bytes = 0;
  #current: { readonly entry: TreeEntry; readonly file: HostFile } | null = null;
  #truncated = false;

  constructor(op: Op, destDir: string, budget: TreeBudget) {
    this.#op = op;
    this.#destDir = destDir;
    this.#budget = budget;
    this.#directories = new HostDirectories(destDir);
  }

  async start(): Promise<void> {
    try {
      await makeDirs(this.#destDir);
    } catch (error) {
      throw writeError(error, `Directory "${this.#destDir}" cannot be made`);
    }
  }

  async take(item: TreeItem): Promise<void> {
    switch (item.kind) {
      case "entry":
        await this.#entry(item.entry);
        break;
      case "data":
        this.#count(item.data.length);
        await this.#guarded(async (file) => await file.write(item.data));
        break;
      case "hole":
        this.#count(item.bytes);
        await this.#hole(item.bytes);
        break;
      case "entry-end":
        await this.#entryEnd();
        break;
      case "skip":
        this.#budget.takeEntry(item.path, item.message);
        this.#skip(item.path, "unknown", `The guest could not read it: ${printable(item.message)}`);
        break;
      case "end":
        this.#truncated = item.truncated;
        this.#skippedCount += item.counted;
        this.#budget.takeCounted(item.counted);
        break;
      default:
        item satisfies never;
    }
  }

  /** After the last item: why the tree is not complete, null when it is. */
  async finish(): Promise<MicroagentError | null> {
    if (this.#current !== null) {
      await this.#dropCurrent();
      return new MicroagentError("channel_closed", "The tree ended in the middle of a file");
    }
    if (!this.#truncated) return null;
    return new MicroagentError(
      "output_refused",
      "The guest's tree is larger than the caps on outputs, so the rest stays in the guest",
      { hint: "Pack it in the guest and declare the archive" },
    );
  }

  /** Removes the partial file; returns the failure as one of ours. */
  async abandon(error: unknown): Promise<MicroagentError> {
    await this.#dropCurrent();
    return asMicroagentError(error);
  }

  manifest(): Omit<TreeManifest, "failure"> {
    return {
      files: this.#files,
      directories: this.#directoryCount,
      skipped: this.#skipped,
      skippedCount: this.#skippedCount,
      bytes: this.#bytes,
    };
  }

  async #entry(entry: TreeEntry): Promise<void> {
    this.#budget.takeEntry(entry.path, entry.link);
    if (this.#current !== null) {
      throw new MicroagentError("internal", "An entry began before the last file ended");
    }
    const refusal = pathRefusal(entry) ?? typeRefusal(entry) ?? this.#duplicateRefusal(entry);
    if (refusal !== null) {
      this.#skip(entry.path, entry.type, refusal);
      return;
    }
    try {
      if (entry.type === "dir") await this.#directory(entry);
      else await this.#openFile(entry);
    } catch (error) {
      this.#recordOrThrow(entry, error);
    }
  }

  async #directory(entry: TreeEntry): Promise<void> {
    const blocked = await this.#directories.ensure(components(entry.path), entry.mode);
    if (blocked !== null) this.#skip(entry.path, entry.type, blocked);
    else this.#directoryCount += 1;
  }

  async #openFile(entry: TreeEntry): Promise<void> {
    if (entry.path === "") {
      this.#skip(entry.path, entry.type, "The tree is a single file and was given no name");
      return;
    }
    const parents = components(entry.path).slice(0, -1);
    const blocked = await this.#directories.ensure(parents, 0o755);
    if (blocked !== null) {
      this.#skip(entry.path, entry.type, blocked);
      return;
    }
    const file = await HostFile.create(join(this.#destDir, ...components(entry.path)), entry.mode);
    this.#current = { entry, file };
  }

  async #entryEnd(): Promise<void> {
    await this.#guarded(async (file, entry) => {
      const { sizeBytes, sha256 } = await file.publish();
      this.#files.push({ path: entry.path, sizeBytes, sha256, mode: entry.mode });
      this.#current = null;
    });
  }

  /** Work on the current file, if it is not one that was skipped. */
  async #guarded(work: (file: HostFile, entry: TreeEntry) => Promise<void>): Promise<void> {
    if (this.#current === null) return;
    const { file, entry } = this.#current;
    try {
      await work(file, entry);
    } catch (error) {
      await this.#dropCurrent();
      this.#recordOrThrow(entry, error);
    }
  }

  #recordOrThrow(entry: TreeEntry, error: unknown): void {
    const errno = errnoOf(error);
    if (errno === undefined || !entryErrnos.has(errno)) {
      throw writeError(error, `Output "${printable(entry.path)}" cannot be written`);
    }
    this.#skip(entry.path, entry.type, `The host cannot hold it (${errno})`);
  }

  async #dropCurrent(): Promise<void> {
    const current = this.#current;
    this.#current = null;
    await current?.file.discard();
  }

  #duplicateRefusal(entry: TreeEntry): string | null {
    if (this.#seen.has(entry.path)) return "The path came twice";
    this.#seen.add(entry.path);
    return null;
  }

  #count(bytes: number): void {
    this.#budget.takeBytes(bytes);
    this.#bytes += bytes;
  }

  async #hole(bytes: number): Promise<void> {
    await this.#guarded(async (file) => {
      const isHashed = file.isHashed && this.#budget.takeHashedHole(bytes);
      await file.hole(this.#op, bytes, isHashed);
    });
  }

  #skip(path: string, type: string, reason: string): void {
    this.#skippedCount += 1;
    const record = this.#budget.record(path, type, reason);
    if (record !== null) this.#skipped.push(record);
  }
}

function components(path: string): string[] {
  return path === "" ? [] : path.split("/");
}

function typeRefusal(entry: TreeEntry): string | null {
  switch (entry.type) {
    case "file":
    case "dir":
      return null;
    case "symlink":
    case "hardlink":
      return `Links are not followed: it points to "${printable(entry.link ?? "")}"`;
    default:
      return "Only regular files and directories are brought out";
  }
}

/** The failure of a write that concerns the whole disk or directory, not one entry. */
function writeError(error: unknown, sentence: string): MicroagentError {
  const errno = errnoOf(error);
  if (errno === undefined || isMicroagentError(error)) return asMicroagentError(error);
  if (errno === "ENOSPC" || errno === "EDQUOT") {
    return new MicroagentError("no_space", `${sentence}: no space is left on its disk`, {
      cause: error,
      details: { errno },
      hint: "Free some space or choose another output directory",
    });
  }
  return new MicroagentError("invalid_argument", `${sentence} (${errno})`, {
    cause: error,
    details: { errno },
    hint: "Choose an output directory that this user can write",
  });
}
