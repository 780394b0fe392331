import { isMicroagentError, type MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Op } from "../../base/op.ts";
import { isNetworkFailure } from "./http.ts";

/** Counts failed tries of one thing and knows when to stop. */
export class Retries {
  #failures = 0;
  #total = 0;
  #mismatches = 0;

  /**
   * Waits and returns when another try is worth it; otherwise throws the error, for the caller to see. A try that
   * moved things on starts the count again, up to a total.
   */
  async next(op: Op, error: unknown, progressed: boolean): Promise<void> {
    if (!isMicroagentError(error)) throw error;
    if (progressed) this.#failures = 0;
    this.#failures++;
    this.#total++;
    if (error.code === "image_digest_mismatch") this.#mismatches++;
    const tries = limits.registry.triesMax;
    if (this.#failures >= tries || this.#total >= limits.registry.triesTotalMax) throw error;
    if (!isWorthRetrying(error) || this.#mismatches > 1) throw error;
    const waitMs = waitFor(error, this.#failures);
    if (waitMs > limits.registry.retryAfterMsMax || waitMs > op.remainingMs()) throw error;
    op.report({
      kind: "note",
      text: `${error.message}; trying again in ${(waitMs / 1000).toFixed(1)} s (${this.#failures + 1} of ${tries})`,
    });
    await op.sleep(waitMs);
  }
}

/** Runs `work` until it succeeds or its failure is not worth another try. */
export async function withRetries<T>(op: Op, work: () => Promise<T>): Promise<T> {
  const retries = new Retries();
  for (;;) {
    try {
      return await work();
    } catch (error) {
      op.check();
      await retries.next(op, error, false);
    }
  }
}

function isWorthRetrying(error: MicroagentError): boolean {
  switch (error.code) {
    case "registry_unreachable":
      // A wrong name and a bad certificate are the same a second later.
      return !isNetworkFailure(error, "certificate") && error.details.errno !== "ENOTFOUND";
    case "registry_failed":
      return Number(error.details.status) >= 500 || error.details.status === 408;
    case "registry_rate_limited":
    case "image_digest_mismatch":
    case "image_corrupt":
      return true;
    default:
      return false;
  }
}

function waitFor(error: MicroagentError, failures: number): number {
  const asked = error.details.retryAfterMs;
  if (typeof asked === "number") return asked;
  const base = limits.registry.backoffMs * 2 ** (failures - 1);
  return Math.min(limits.registry.backoffMsMax, base * (0.75 + Math.random() / 2));
}
