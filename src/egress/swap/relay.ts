import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Op } from "../../base/op.ts";

/**
 * Copies a body at the pace of whoever reads it, and does not end the sink. Fails when either side ends
 * early, when nothing moves for `limits.swap.silenceMs`, and when there is more or less than `announced`.
 */
export async function relay(
  op: Op,
  source: Readable,
  sink: Writable,
  announced: number | null,
): Promise<void> {
  const silence = new Silence(op, () => source.destroy(silent()));
  const onClose = () => {
    if (!sink.writableFinished) source.destroy(brokenOff());
  };
  sink.once("close", onClose);
  let bytes = 0;
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      silence.broken();
      bytes += chunk.length;
      // What goes beyond the announced end would be read as another request.
      if (announced !== null && bytes > announced) throw wrongLength();
      if (sink.destroyed) throw brokenOff();
      if (sink.write(chunk)) continue;
      await drained(op, sink);
      if (sink.destroyed) throw brokenOff();
    }
    if (announced !== null && bytes !== announced) throw wrongLength();
  } finally {
    silence.end();
    sink.removeListener("close", onClose);
  }
}

/** Waits until the sink takes more, is closed, or nobody wants to write to it any more. */
export async function drained(op: Op, sink: Writable, unwanted?: AbortSignal): Promise<void> {
  const done = new AbortController();
  const wait = (event: string) => once(sink, event, { signal: done.signal });
  const stop = () => done.abort();
  unwanted?.addEventListener("abort", stop, { once: true });
  try {
    if (unwanted?.aborted === true || sink.destroyed) return;
    await op.race(Promise.race([wait("drain"), wait("close")])).catch(() => op.check());
  } finally {
    unwanted?.removeEventListener("abort", stop);
    done.abort();
  }
}

/** Calls back once nothing has happened for too long. One timer, however much happens. */
export class Silence {
  readonly #op: Op;
  readonly #onSilence: () => void;
  #last: number;
  #cancel: () => void = () => {};

  constructor(op: Op, onSilence: () => void) {
    this.#op = op;
    this.#onSilence = onSilence;
    this.#last = op.clock.monotonic();
    this.#wait(limits.swap.silenceMs);
  }

  broken(): void {
    this.#last = this.#op.clock.monotonic();
  }

  end(): void {
    this.#cancel();
  }

  #wait(ms: number): void {
    this.#cancel = this.#op.clock.after(ms, () => {
      const left = this.#last + limits.swap.silenceMs - this.#op.clock.monotonic();
      if (left > 0) this.#wait(left);
      else this.#onSilence();
    });
  }
}

export function silent(): MicroagentError {
  return new MicroagentError("timeout", `Nothing moved for ${limits.swap.silenceMs} ms`);
}

function brokenOff(): MicroagentError {
  return new MicroagentError("channel_closed", "The other side broke off");
}

export function wrongLength(): MicroagentError {
  return new MicroagentError("protocol_violation", "A body is not as long as was announced");
}
