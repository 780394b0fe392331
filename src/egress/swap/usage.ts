import { Transform, type TransformCallback } from "node:stream";
import { limits } from "../../base/limits.ts";
import { type Field, valuesOf } from "./fields.ts";

/** What a model's provider counted for one answer. */
export interface ModelUsage {
  /** As the provider names it; "" when it does not. */
  readonly model: string;
  /** All that were read, those from a cache too. */
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/**
 * Passes an answer on as it is and counts on the way what it says of tokens; null for an answer that cannot say
 * anything. `onUsage` is called at most once, when the answer has ended or broken off.
 */
export function usageMeter(
  fields: readonly Field[],
  onUsage: (usage: ModelUsage) => void,
): Transform | null {
  const type = (valuesOf(fields, "content-type")[0] ?? "").split(";")[0]?.trim().toLowerCase();
  const documents =
    type === "text/event-stream"
      ? new EventDocuments()
      : type === "application/json"
        ? new WholeDocument()
        : null;
  if (documents === null) return null;
  const tally = new Tally();
  let told = false;
  const tell = () => {
    if (told) return;
    told = true;
    for (const text of documents.end()) tally.read(text);
    const usage = tally.usage;
    if (usage !== null) onUsage(usage);
  };
  return new Transform({
    transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback) {
      for (const text of documents.push(chunk)) tally.read(text);
      done(null, chunk);
    },
    flush(done) {
      tell();
      done();
    },
    destroy(error, done) {
      tell();
      done(error);
    },
  });
}

/** Cuts bytes into texts that may be documents with counts. */
interface Documents {
  push(chunk: Buffer): readonly string[];
  end(): readonly string[];
}

const { documentBytesMax, listItemsMax, tokensMax } = limits.usage;

/** The data of server-sent events, a line each; a line that is too long is none. */
class EventDocuments implements Documents {
  #rest: Buffer[] = [];
  #restBytes = 0;

  push(chunk: Buffer): string[] {
    const texts: string[] = [];
    let from = 0;
    for (let at = chunk.indexOf(0x0a); at >= 0; at = chunk.indexOf(0x0a, from)) {
      this.#keep(chunk.subarray(from, at));
      texts.push(...this.end());
      from = at + 1;
    }
    this.#keep(chunk.subarray(from));
    return texts;
  }

  end(): string[] {
    const isWhole = this.#restBytes <= documentBytesMax;
    const line = isWhole ? Buffer.concat(this.#rest) : Buffer.alloc(0);
    this.#rest = [];
    this.#restBytes = 0;
    const isOfUse = line.subarray(0, 5).equals(dataMark) && line.includes(countsMark);
    return isOfUse ? [line.subarray(5).toString("utf8")] : [];
  }

  #keep(part: Buffer): void {
    this.#restBytes += part.length;
    if (this.#restBytes > documentBytesMax) this.#rest = [];
    else if (part.length > 0) this.#rest.push(Buffer.from(part));
  }
}

const dataMark = Buffer.from("data:");
/** `"usage"` and `"usageMetadata"`. */
const countsMark = Buffer.from('"usage');

/** An answer that is one document. */
class WholeDocument implements Documents {
  #parts: Buffer[] = [];
  #bytes = 0;

  push(chunk: Buffer): string[] {
    this.#bytes += chunk.length;
    if (this.#bytes > documentBytesMax) this.#parts = [];
    else this.#parts.push(Buffer.from(chunk));
    return [];
  }

  end(): string[] {
    const bytes = Buffer.concat(this.#parts);
    this.#parts = [];
    return bytes.includes(countsMark) ? [bytes.toString("utf8")] : [];
  }
}

/** Counts in a stream grow from event to event: the largest is the last. */
class Tally {
  #model = "";
  #input = 0;
  #output = 0;

  get usage(): ModelUsage | null {
    if (this.#input === 0 && this.#output === 0) return null;
    return { model: this.#model, inputTokens: this.#input, outputTokens: this.#output };
  }

  read(text: string): void {
    let document: unknown;
    try {
      document = JSON.parse(text);
    } catch {
      return;
    }
    const list = Array.isArray(document) ? document.slice(0, listItemsMax) : [document];
    for (const each of list) {
      for (const holder of [each, member(each, "message"), member(each, "response")]) {
        this.#take(holder);
      }
    }
  }

  #take(holder: unknown): void {
    const counts = member(holder, "usage") ?? member(holder, "usageMetadata");
    const of = (...names: string[]) =>
      names.reduce((sum, name) => sum + tokensOf(member(counts, name)), 0);
    const input =
      of("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens") ||
      of("prompt_tokens") ||
      of("promptTokenCount");
    const output =
      of("output_tokens") ||
      of("completion_tokens") ||
      of("candidatesTokenCount", "thoughtsTokenCount");
    if (input === 0 && output === 0) return;
    const model = member(holder, "model") ?? member(holder, "modelVersion");
    if (typeof model === "string") this.#model = model.slice(0, 200);
    this.#input = Math.max(this.#input, input);
    this.#output = Math.max(this.#output, output);
  }
}

function tokensOf(value: unknown): number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= tokensMax
    ? value
    : 0;
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;
}
