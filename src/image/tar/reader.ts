import type { MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { displayName, type SparseExtent, type TarHandler } from "./entry.ts";
import {
  blockBytes,
  cString,
  isZeroBlock,
  paddingOf,
  parseHeader,
  type RawHeader,
} from "./header.ts";
import { corruptLayer, hostileLayer } from "./layer-faults.ts";
import { makeEntry } from "./make-entry.ts";
import { type PaxFields, parsePax } from "./pax.ts";
import { SparseMapText, sparseExtentsOfHeader } from "./sparse.ts";

type State =
  | "header"
  /** Body of a PAX header or a GNU long name. */
  | "special"
  /** Continuation blocks of an old GNU sparse header. */
  | "sparse-blocks"
  /** The textual sparse map in front of the data (GNU.sparse 1.0). */
  | "sparse-text"
  | "data"
  | "skip"
  | "ended";

/**
 * Reads a tar archive that is pushed in chunk by chunk and tells a handler its entries. Linear and
 * synchronous: data is handed on as slices of the chunks, only split header blocks are copied.
 * Fails with `image_corrupt` or `image_hostile`, naming the layer, the entry and the offset.
 */
export class TarReader {
  readonly #layer: string;
  readonly #handler: TarHandler;
  /** Offset in the archive of the next byte to read. */
  #offset = 0;
  #state: State = "header";
  /** Collects a header block or a special body that does not lie in one chunk. */
  #pending: Buffer = Buffer.alloc(blockBytes);
  #pendingLength = 0;
  #special: RawHeader | null = null;
  #specialOffset = 0;
  #remaining = 0;
  #padding = 0;
  #sawZeroBlock = false;
  #pax: PaxFields | null = null;
  #longName: string | null = null;
  #longLink: string | null = null;
  #oldSparse: { header: RawHeader; extents: SparseExtent[]; realSize: number } | null = null;
  #sparseText: SparseMapText | null = null;

  constructor(layerDigest: string, handler: TarHandler) {
    this.#layer = layerDigest;
    this.#handler = handler;
  }

  push(chunk: Buffer): void {
    let at = 0;
    // What follows the end blocks is padding, whatever it holds.
    while (at < chunk.length && this.#state !== "ended") at = this.#take(chunk, at);
  }

  /** Consumes at least one byte and returns where to go on. */
  #take(chunk: Buffer, at: number): number {
    switch (this.#state) {
      case "special":
        return this.#takeSpecial(chunk, at);
      case "data":
        return this.#takeData(chunk, at);
      case "skip":
        return this.#takePadding(chunk, at);
      default:
        return this.#takeBlock(chunk, at);
    }
  }

  /** Call once after the last chunk: a stream that ends inside an entry is corrupt. */
  finish(): void {
    if (this.#state === "ended") return;
    const clean = this.#state === "header" && this.#pendingLength === 0 && !this.#expectsEntry();
    if (!clean) throw this.#corrupt("ends in the middle of an entry");
  }

  #expectsEntry(): boolean {
    return this.#pax !== null || this.#longName !== null || this.#longLink !== null;
  }

  /** One 512-byte block, straight from the chunk when it lies there whole. */
  #takeBlock(chunk: Buffer, at: number): number {
    if (this.#pendingLength === 0 && chunk.length - at >= blockBytes) {
      this.#offset += blockBytes;
      this.#useBlock(chunk, at);
      return at + blockBytes;
    }
    const take = Math.min(blockBytes - this.#pendingLength, chunk.length - at);
    chunk.copy(this.#pending, this.#pendingLength, at, at + take);
    this.#pendingLength += take;
    this.#offset += take;
    if (this.#pendingLength === blockBytes) {
      this.#pendingLength = 0;
      this.#useBlock(this.#pending, 0);
    }
    return at + take;
  }

  #useBlock(block: Buffer, at: number): void {
    if (this.#state === "header") this.#useHeader(block, at);
    else if (this.#state === "sparse-blocks") this.#useSparseBlock(block, at);
    else this.#useSparseText(block, at);
  }

  #useHeader(block: Buffer, at: number): void {
    const offset = this.#offset - blockBytes;
    if (block[at] === 0 && isZeroBlock(block, at)) {
      if (this.#expectsEntry()) throw this.#corrupt("ends after an extended header", offset);
      if (this.#sawZeroBlock) this.#state = "ended";
      this.#sawZeroBlock = true;
      return;
    }
    if (this.#sawZeroBlock) throw this.#corrupt("goes on after an end block", offset);
    const header = parseHeader(block, at);
    if (header === null) throw this.#corrupt("has a header with a wrong checksum", offset);
    if (!(header.size >= 0)) throw this.#corrupt("has a header with a bad size", offset);
    switch (header.type) {
      case "x":
      case "g":
      case "L":
      case "K":
        this.#beginSpecial(header, offset);
        return;
      case "S":
        this.#beginOldSparse(header, block, at);
        return;
      default:
        this.#beginEntry(header, offset);
    }
  }

  #beginSpecial(header: RawHeader, offset: number): void {
    if (header.size > limits.image.tarHeaderBytesMax) {
      throw this.#hostile(
        `has an extended header of ${header.size} bytes, at most ${limits.image.tarHeaderBytesMax} are accepted`,
        offset,
      );
    }
    this.#special = header;
    this.#specialOffset = offset;
    this.#remaining = header.size;
    this.#padding = paddingOf(header.size);
    this.#state = "special";
    if (header.size > this.#pending.length) this.#pending = Buffer.alloc(header.size);
    this.#pendingLength = 0;
    if (header.size === 0) this.#endSpecial();
  }

  #takeSpecial(chunk: Buffer, at: number): number {
    const take = Math.min(this.#remaining, chunk.length - at);
    chunk.copy(this.#pending, this.#pendingLength, at, at + take);
    this.#pendingLength += take;
    this.#remaining -= take;
    this.#offset += take;
    if (this.#remaining === 0) this.#endSpecial();
    return at + take;
  }

  #endSpecial(): void {
    const body = this.#pending.subarray(0, this.#pendingLength);
    this.#pendingLength = 0;
    this.#state = this.#padding > 0 ? "skip" : "header";
    switch (this.#special?.type) {
      case "x": {
        const parsed = parsePax(body);
        if (typeof parsed === "string") throw this.#corrupt(`has ${parsed}`, this.#specialOffset);
        this.#pax = parsed;
        return;
      }
      case "L":
        this.#longName = cString(body, 0, body.length);
        return;
      case "K":
        this.#longLink = cString(body, 0, body.length);
        return;
      default:
        // Global headers carry remarks of the archiver; container tools do not apply them either.
        return;
    }
  }

  #beginOldSparse(header: RawHeader, block: Buffer, at: number): void {
    const map = sparseExtentsOfHeader(block, at, "header");
    this.#oldSparse = { header, extents: map.extents, realSize: map.realSize };
    this.#specialOffset = this.#offset - blockBytes;
    if (map.continues) this.#state = "sparse-blocks";
    else this.#endOldSparse();
  }

  #useSparseBlock(block: Buffer, at: number): void {
    const map = sparseExtentsOfHeader(block, at, "continuation");
    const extents = this.#oldSparse?.extents ?? [];
    for (const extent of map.extents) extents.push(extent);
    if (extents.length > limits.image.sparseExtentsMax) {
      throw this.#hostile(`has more than ${limits.image.sparseExtentsMax} extents in one file`);
    }
    if (!map.continues) this.#endOldSparse();
  }

  #endOldSparse(): void {
    const sparse = this.#oldSparse;
    this.#oldSparse = null;
    if (sparse !== null) this.#beginEntry(sparse.header, this.#specialOffset, sparse);
  }

  #useSparseText(block: Buffer, at: number): void {
    const text = this.#sparseText;
    const header = this.#special;
    if (text === null || header === null) return;
    this.#remaining -= blockBytes;
    const state = text.push(block, at);
    if (state === "bad" || (state === "more" && this.#remaining < blockBytes)) {
      throw this.#corrupt("has a bad sparse map", this.#specialOffset);
    }
    if (state === "more") return;
    this.#sparseText = null;
    const realSize = this.#pax?.sparse.realSize ?? Number.NaN;
    const stored = { ...header, size: this.#remaining };
    if (this.#pax !== null) delete this.#pax.size;
    this.#beginEntry(stored, this.#specialOffset, { extents: text.extents(), realSize });
  }

  #beginEntry(
    header: RawHeader,
    offset: number,
    sparse: { extents: SparseExtent[]; realSize: number } | null = null,
  ): void {
    const pax = this.#pax;
    if (sparse === null && pax?.sparse.major === "1" && pax.sparse.minor === "0") {
      const size = pax.size ?? header.size;
      if (size < blockBytes) throw this.#corrupt("has a sparse file without its map", offset);
      this.#special = header;
      this.#specialOffset = offset;
      this.#remaining = size;
      this.#sparseText = new SparseMapText();
      this.#state = "sparse-text";
      return;
    }
    const made = makeEntry({
      header,
      offset,
      pax,
      longName: this.#longName,
      longLink: this.#longLink,
      sparse,
    });
    this.#pax = null;
    this.#longName = null;
    this.#longLink = null;
    if (!made.ok) {
      const sentence = `has an entry "${displayName(made.name)}" with ${made.fault}`;
      throw made.hostile ? this.#hostile(sentence, offset) : this.#corrupt(sentence, offset);
    }
    this.#remaining = made.storedBytes;
    this.#padding = paddingOf(made.storedBytes);
    this.#handler.entry(made.entry);
    this.#state = "data";
    if (this.#remaining === 0) this.#endData();
  }

  #takeData(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#remaining);
    this.#handler.data(chunk, at, end);
    this.#remaining -= end - at;
    this.#offset += end - at;
    if (this.#remaining === 0) this.#endData();
    return end;
  }

  #endData(): void {
    this.#state = this.#padding > 0 ? "skip" : "header";
    this.#handler.entryEnd();
  }

  #takePadding(chunk: Buffer, at: number): number {
    const take = Math.min(this.#padding, chunk.length - at);
    this.#padding -= take;
    this.#offset += take;
    if (this.#padding === 0) this.#state = "header";
    return at + take;
  }

  #corrupt(what: string, offset: number = this.#offset): MicroagentError {
    return corruptLayer(this.#layer, what, offset);
  }

  #hostile(what: string, offset: number = this.#offset): MicroagentError {
    return hostileLayer(this.#layer, what, offset);
  }
}
