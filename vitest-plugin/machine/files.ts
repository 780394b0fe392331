import {
  type CopiedOut,
  copyIntoGuest,
  copyOutOfGuest,
  type GuestFileOptions,
  globGuest,
  MicroagentError,
  makeGuestDirectory,
  readGuestFile,
  type TreeEntry,
  writeGuestFile,
} from "../../src/index.ts";
import { Calls } from "./calls.ts";

const fileBytesMax = 256 * 1024 * 1024;
const copyEntriesMax = 100_000;
const copyBytesMax = 10 * 1024 ** 3;

/** A machine's files. */
export abstract class Files extends Calls {
  /** The guest's clock when it began, milliseconds since the epoch. */
  protected abstract readonly begunAtMs: number;

  async readFile(path: string): Promise<Buffer>;
  async readFile(path: string, encoding: "utf8"): Promise<string>;
  async readFile(path: string, encoding?: "utf8"): Promise<Buffer | string> {
    const bytes = await this.io("read", (op) =>
      readGuestFile(op, this.workspace, path, fileBytesMax),
    );
    return encoding === undefined ? bytes : bytes.toString(encoding);
  }

  /** Writes a file, with the directories above it. */
  async writeFile(
    path: string,
    data: string | Uint8Array,
    options: GuestFileOptions = {},
  ): Promise<void> {
    await this.io("write", (op) =>
      writeGuestFile(op, this.workspace, path, Buffer.from(data), options),
    );
  }

  /** Copies a host file or directory in, owned by root. */
  async copyIn(hostPath: string, path: string): Promise<void> {
    await this.io("copy in", (op) => copyIntoGuest(op, this.workspace, hostPath, path));
  }

  /** Copies a file or directory out: regular files and directories. */
  async copyOut(path: string, hostPath: string): Promise<CopiedOut> {
    const caps = { maxEntries: copyEntriesMax, maxBytes: copyBytesMax };
    return await this.io("copy out", (op) =>
      copyOutOfGuest(op, this.workspace, path, hostPath, caps),
    );
  }

  /** What is at a path, links followed. `guest_file_not_found`. */
  async stat(path: string): Promise<TreeEntry> {
    return await this.io("stat", (op) =>
      this.workspace.explaining("looking at a file", this.workspace.agent.stat(op, path)),
    );
  }

  /** Paths that match a pattern with `*`, `?`, `[abc]` and `**`. */
  async glob(pattern: string): Promise<readonly string[]> {
    return await this.io("glob", (op) => globGuest(op, this.workspace, pattern));
  }

  /** Removes a path, directories with what is in them. Nothing there is fine. */
  async rm(path: string): Promise<void> {
    await this.io("rm", async (op) => {
      try {
        await this.workspace.agent.remove(op, path, { recursive: true });
      } catch (error) {
        if (!(error instanceof MicroagentError && error.code === "guest_file_not_found"))
          throw error;
      }
    });
  }

  /** Makes a directory and those above it. */
  async mkdir(path: string, options: GuestFileOptions = {}): Promise<void> {
    await this.io("mkdir", (op) => makeGuestDirectory(op, this.workspace, path, options));
  }

  /** Paths below `path` that were changed since the machine began, directories with a final "/". */
  async changes(path = "/"): Promise<readonly string[]> {
    return await this.io("changes", (op) => this.workspace.agent.changes(op, path, this.begunAtMs));
  }
}
