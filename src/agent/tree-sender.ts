import type { Op } from "../base/op.ts";
import type { ChannelStream } from "../channel/stream.ts";
import { encodeFrameHead, encodeJsonFrame, frameDataBytes, frameKind } from "./frame.ts";
import type { TransferSummary, TreeItem } from "./tree.ts";
import { encodeTreeEntry } from "./tree-entry.ts";

/** Small frames are put together up to this size before they are written. */
const packBytes = 64 * 1024;
/** Payloads below this are copied into the pack. */
const copyBelowBytes = 8 * 1024;

/** Sends a whole tree and its `end` frame; an `end` item of the source only passes on `truncated` and `counted`. */
export async function sendTree(
  op: Op,
  stream: ChannelStream,
  tree: AsyncIterable<TreeItem>,
): Promise<TransferSummary> {
  const sender = new TreeSender(op, stream);
  for await (const item of tree) {
    op.check();
    await sender.send(item);
  }
  return await sender.end();
}

class TreeSender {
  readonly #op: Op;
  readonly #stream: ChannelStream;
  #parts: Uint8Array[] = [];
  #packed = 0;
  #entries = 0;
  #bytes = 0;
  #truncated = false;
  #counted = 0;

  constructor(op: Op, stream: ChannelStream) {
    this.#op = op;
    this.#stream = stream;
  }

  /** May return undefined: then nothing had to be waited for. */
  send(item: TreeItem): Promise<void> | undefined {
    switch (item.kind) {
      case "entry":
        this.#entries += 1;
        return this.#pack(encodeJsonFrame(frameKind.entry, encodeTreeEntry(item.entry)));
      case "data":
        this.#bytes += item.data.length;
        return this.#data(item.data);
      case "hole": {
        this.#bytes += item.bytes;
        const frame = Buffer.concat([encodeFrameHead(frameKind.hole, 8), Buffer.alloc(8)]);
        frame.writeBigUInt64BE(BigInt(item.bytes), frame.length - 8);
        return this.#pack(frame);
      }
      case "entry-end":
        return this.#pack(encodeFrameHead(frameKind.entryEnd, 0));
      case "skip": {
        const { path, code, message } = item;
        return this.#pack(encodeJsonFrame(frameKind.skip, { path, code, message }));
      }
      case "end":
        this.#truncated = item.truncated;
        this.#counted = item.counted;
        return undefined;
      default:
        return item satisfies never;
    }
  }

  async end(): Promise<TransferSummary> {
    const summary = { entries: this.#entries, bytes: this.#bytes, truncated: this.#truncated };
    const counted = this.#counted === 0 ? {} : { counted: this.#counted };
    this.#parts.push(encodeJsonFrame(frameKind.end, { ...summary, ...counted }));
    await this.#flush();
    return summary;
  }

  #data(data: Uint8Array): Promise<void> | undefined {
    if (data.length === 0) return undefined;
    if (data.length < copyBelowBytes) {
      return this.#pack(Buffer.concat([encodeFrameHead(frameKind.data, data.length), data]));
    }
    for (let at = 0; at < data.length; at += frameDataBytes) {
      const part = data.subarray(at, at + frameDataBytes);
      this.#parts.push(encodeFrameHead(frameKind.data, part.length), part);
    }
    return this.#flush();
  }

  #pack(frame: Uint8Array): Promise<void> | undefined {
    this.#parts.push(frame);
    this.#packed += frame.length;
    return this.#packed < packBytes ? undefined : this.#flush();
  }

  #flush(): Promise<void> {
    const parts = this.#packed > 0 ? joinSmall(this.#parts) : this.#parts;
    this.#parts = [];
    this.#packed = 0;
    return this.#stream.write(this.#op, parts);
  }
}

/** Joins runs of small parts, so that a gathered write has few of them. */
function joinSmall(parts: readonly Uint8Array[]): Uint8Array[] {
  const joined: Uint8Array[] = [];
  let run: Uint8Array[] = [];
  const closeRun = () => {
    if (run.length > 0) joined.push(Buffer.concat(run));
    run = [];
  };
  for (const part of parts) {
    if (part.length < copyBelowBytes) run.push(part);
    else {
      closeRun();
      joined.push(part);
    }
  }
  closeRun();
  return joined;
}
