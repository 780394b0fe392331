import { z } from "zod";
import type { MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Op } from "../base/op.ts";
import { printable } from "../channel/printable.ts";
import type { ChannelStream } from "../channel/stream.ts";
import { frameKind } from "./frame.ts";
import type { FrameHead, MessageReader } from "./message-reader.ts";
import { isEntryName } from "./output-path.ts";
import type { TreeEntry, TreeItem } from "./tree.ts";
import { parseTreeEntry } from "./tree-entry.ts";

export interface TreeCaps {
  readonly entriesMax: number;
  /** File content, holes included. */
  readonly bytesMax: number;
}

/**
 * A whole tree; a listing of one directory, or paths below one, whose entries have no content to be closed; or an
 * upload, after which the stream still has to carry the receiver's answer.
 */
export type TreeForm = "tree" | "listing" | "paths" | "upload";

const skipSchema = z.object({
  path: z.string().max(limits.outputs.pathBytesMax * 2),
  code: z.string().max(64),
  message: z.string().max(4096).default(""),
});
const endSchema = z.object({
  entries: z.number().int().nonnegative(),
  bytes: z.number().int().nonnegative(),
  truncated: z.boolean().default(false),
  counted: z.number().int().nonnegative().default(0),
});

/**
 * A tree as it arrives, its order and caps enforced: content only inside a file, every file closed,
 * `end` last. Iterate it once. Leaving it early resets the stream, so that the sender stops.
 */
export class TreeReader implements AsyncIterable<TreeItem>, AsyncIterator<TreeItem> {
  readonly #op: Op;
  readonly #stream: ChannelStream;
  readonly #reader: MessageReader;
  readonly #caps: TreeCaps;
  #entries = 0;
  #bytes = 0;
  #openFile = false;
  #inData = false;
  #done = false;

  readonly #form: TreeForm;

  constructor(
    op: Op,
    stream: ChannelStream,
    reader: MessageReader,
    caps: TreeCaps,
    form: TreeForm = "tree",
  ) {
    this.#form = form;
    this.#op = op;
    this.#stream = stream;
    this.#reader = reader;
    this.#caps = caps;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<TreeItem>> {
    if (this.#done) return { done: true, value: undefined };
    try {
      return { done: false, value: await this.#item() };
    } catch (error) {
      this.close();
      throw error;
    }
  }

  return(): Promise<IteratorResult<TreeItem>> {
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Stops the transfer. May be called again. */
  close(): void {
    if (this.#done) return;
    this.#done = true;
    this.#stream.reset();
  }

  async #item(): Promise<TreeItem> {
    for (;;) {
      if (this.#inData) {
        const data = await this.#reader.body(this.#op);
        if (data !== null) return { kind: "data", data };
        this.#inData = false;
      }
      const head = await this.#reader.head(this.#op);
      if (head === null) throw this.#reader.violate("The guest ended a tree without its end");
      if (head.kind !== frameKind.data) return await this.#message(head);
      this.#content(head.length);
      this.#inData = true;
    }
  }

  async #message(head: FrameHead): Promise<TreeItem> {
    switch (head.kind) {
      case frameKind.entry:
        return { kind: "entry", entry: await this.#entry() };
      case frameKind.hole:
        return await this.#hole(head);
      case frameKind.entryEnd:
        if (!this.#openFile || head.length > 0) throw this.#misplaced("an end of a file");
        this.#openFile = false;
        return { kind: "entry-end" };
      case frameKind.skip: {
        if (this.#openFile) throw this.#misplaced("a skip");
        this.#count();
        const skip = this.#checked(skipSchema, await this.#reader.json(this.#op), "skip");
        return { kind: "skip", ...skip };
      }
      case frameKind.end: {
        if (this.#openFile) throw this.#misplaced("the end of the tree");
        const end = this.#checked(endSchema, await this.#reader.json(this.#op), "end");
        this.#count(end.counted);
        this.#done = true;
        if (this.#form !== "upload") this.#stream.leave();
        // Our own counts: the guest's are only what it says.
        const entries = this.#entries - end.counted;
        return { kind: "end", ...end, entries, bytes: this.#bytes };
      }
      default:
        throw this.#reader.violate(`The guest sent a frame of kind ${head.kind} in a tree`);
    }
  }

  async #entry(): Promise<TreeEntry> {
    if (this.#openFile) throw this.#misplaced("an entry");
    this.#count();
    const entry = parseTreeEntry(await this.#reader.json(this.#op));
    if (entry === null) throw this.#reader.violate("The guest sent a malformed tree entry");
    this.#checkName(entry.path);
    this.#openFile = entry.type === "file" && !this.#isList;
    return entry;
  }

  get #isList(): boolean {
    return this.#form === "listing" || this.#form === "paths";
  }

  /** The paths of a tree are judged by whoever writes it; those of a list go to the caller as they are. */
  #checkName(path: string): void {
    if (!this.#isList) return;
    const names = this.#form === "listing" ? [path] : path.split("/");
    if (names.every(isEntryName)) return;
    throw this.#reader.violate(
      `The guest listed "${printable(path, 64)}", which no directory holds`,
    );
  }

  async #hole(head: FrameHead): Promise<TreeItem> {
    if (head.length !== 8) throw this.#misplaced("a hole without a length");
    const bytes = (await this.#reader.payload(this.#op)).readBigUInt64BE();
    if (bytes > BigInt(Number.MAX_SAFE_INTEGER)) throw this.#misplaced("an endless hole");
    this.#content(Number(bytes));
    return { kind: "hole", bytes: Number(bytes) };
  }

  #count(entries = 1): void {
    this.#entries += entries;
    if (this.#entries > this.#caps.entriesMax) {
      throw this.#reader.violate(
        `The guest sent more entries than asked for, wanted at most ${this.#caps.entriesMax}`,
      );
    }
  }

  #content(bytes: number): void {
    if (!this.#openFile) throw this.#misplaced("content");
    this.#bytes += bytes;
    if (this.#bytes > this.#caps.bytesMax) {
      throw this.#reader.violate(
        `The guest sent more bytes than asked for, wanted at most ${this.#caps.bytesMax}`,
      );
    }
  }

  #checked<T>(schema: z.ZodType<T>, value: unknown, name: string): T {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const where = parsed.error.issues[0]?.path.join(".") ?? "";
    throw this.#reader.violate(
      `The guest sent a malformed "${name}" frame: bad "${printable(where)}"`,
    );
  }

  #misplaced(what: string): MicroagentError {
    return this.#reader.violate(`The guest sent ${what} where a tree cannot have it`);
  }
}
