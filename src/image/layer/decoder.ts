import type { Readable, Transform } from "node:stream";
import * as zlib from "node:zlib";
import { createGunzip } from "node:zlib";
import type { LayerCompression } from "../layer.ts";
import { FzstdTransform } from "./fzstd-transform.ts";

const chunkBytes = 512 * 1024;
/** What may wait decompressed, of one layer: the next layer runs ahead while the one before it is read. */
const queuedBytesMax = 16 * 1024 * 1024;
/** A stream of tiny chunks must not wait as millions of objects. */
const queuedChunksMax = 256;

/** Uncompressed chunks of a layer, one at a time; null at the end. */
export interface Decoder {
  next(): Promise<Buffer | null>;
  close(): void;
}

/** Puts the right decompressor behind a stream of stored bytes. */
export function openDecoder(source: Readable, compression: LayerCompression): Decoder {
  if (compression === "none") return new ChunkQueue(source, []);
  const transform =
    compression === "gzip" ? createGunzip({ chunkSize: chunkBytes }) : createZstdDecoder();
  source.on("error", (error) => transform.destroy(error));
  source.pipe(transform);
  return new ChunkQueue(transform, [transform]);
}

/** Node's own zstd where it has one, the JavaScript one elsewhere. */
function createZstdDecoder(): Transform {
  const native = (zlib as { createZstdDecompress?: (options: object) => Transform })
    .createZstdDecompress;
  return native === undefined ? new FzstdTransform() : native({ chunkSize: chunkBytes });
}

/**
 * Takes chunks off a flowing stream the moment they come, so that the stream's next chunk is already
 * being decompressed on the thread pool while the last one is worked on. (An async iterator waits
 * for its consumer, and joins buffers by copying.)
 */
class ChunkQueue implements Decoder {
  readonly #stream: Readable;
  readonly #owned: readonly Transform[];
  readonly #chunks: Buffer[] = [];
  #queuedBytes = 0;
  #ended = false;
  #failure: Error | null = null;
  #wake: (() => void) | null = null;

  constructor(stream: Readable, owned: readonly Transform[]) {
    this.#stream = stream;
    this.#owned = owned;
    stream.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#queuedBytes += chunk.length;
      if (this.#isFull(1)) stream.pause();
      this.#wake?.();
    });
    stream.on("end", () => {
      this.#ended = true;
      this.#wake?.();
    });
    stream.on("error", (error) => {
      this.#failure = error;
      this.#wake?.();
    });
  }

  async next(): Promise<Buffer | null> {
    while (this.#chunks.length === 0) {
      if (this.#failure !== null) throw this.#failure;
      if (this.#ended) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
    const chunk = this.#chunks.shift() ?? null;
    this.#queuedBytes -= chunk?.length ?? 0;
    if (this.#stream.isPaused() && !this.#isFull(0.75)) this.#stream.resume();
    return chunk;
  }

  close(): void {
    for (const stream of this.#owned) stream.destroy();
    this.#chunks.length = 0;
  }

  #isFull(share: number): boolean {
    return (
      this.#queuedBytes >= queuedBytesMax * share || this.#chunks.length >= queuedChunksMax * share
    );
  }
}
