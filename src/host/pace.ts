import type { MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Op } from "../base/op.ts";

/**
 * Breaks a transfer off that is silent or only drips. Only the time that is spent on waiting for the sender counts:
 * a disk that is slow to take what came is no fault of the sender.
 */
export class Pace {
  readonly #op: Op;
  readonly #breakOff: (reason: string) => void;
  #cancel: () => void = () => {};
  #waitingSince: number | null = null;
  #waitedMs = 0;
  #bytes = 0;

  constructor(op: Op, error: (reason: string) => MicroagentError, stop: AbortController) {
    this.#op = op;
    this.#breakOff = (reason) => stop.abort(error(reason));
  }

  /** The sender is waited for. */
  start(): void {
    this.stop();
    this.#waitingSince = this.#op.clock.monotonic();
    const { silenceMs } = limits.transfer;
    this.#cancel = this.#op.clock.after(silenceMs, () =>
      this.#breakOff(`it sent nothing for ${silenceMs / 1000} seconds`),
    );
  }

  /** It is not, or sent `bytes`. */
  stop(bytes = 0): void {
    this.#cancel();
    this.#cancel = () => {};
    this.#bytes += bytes;
    if (this.#waitingSince === null) return;
    this.#waitedMs += this.#op.clock.monotonic() - this.#waitingSince;
    this.#waitingSince = null;
    const { paceMs, paceBytesMin } = limits.transfer;
    if (this.#waitedMs < paceMs) return;
    if (this.#bytes < paceBytesMin) {
      this.#breakOff(
        `it sent only ${this.#bytes} bytes in ${Math.round(this.#waitedMs / 1000)} seconds`,
      );
    }
    this.#waitedMs = 0;
    this.#bytes = 0;
  }
}

/** The body of an answer at its sender's pace. Ends the request when it is not read to its end. */
export async function* pacedBody(
  response: Response,
  pace: Pace,
  stop: AbortController,
): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  let ended = false;
  try {
    for (;;) {
      pace.start();
      const { done, value } = await reader.read();
      pace.stop(value?.length);
      if (done) {
        ended = true;
        return;
      }
      yield value;
    }
  } finally {
    pace.stop();
    if (!ended) stop.abort();
  }
}
