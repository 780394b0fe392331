import { limits } from "../../base/limits.ts";
import type { Clock } from "../../base/op.ts";

/**
 * How often one rule may ask for its credential: so many at once, so many a minute, and less and less often while
 * the server refuses one that is new. A guest can have its requests refused as often as it likes.
 */
export class FetchLimit {
  #saved: number = limits.swap.fetchesPerMinute;
  #savedAt: number | null = null;
  #refusals = 0;
  #notBefore = 0;
  #isTold = false;

  /** Takes one, when there is one. */
  take(clock: Clock): boolean {
    const now = clock.monotonic();
    const most = limits.swap.fetchesPerMinute;
    const grown = ((now - (this.#savedAt ?? now)) / 60_000) * most;
    this.#saved = Math.min(this.#saved + grown, most);
    this.#savedAt = now;
    if (this.#saved < 1 || now < this.#notBefore) return false;
    this.#saved -= 1;
    this.#isTold = false;
    return true;
  }

  /** The server did not accept what it was given. The first time that may be its age. */
  refused(clock: Clock): void {
    const { refusalBackoffMs, refusalBackoffMsMax } = limits.swap;
    if (this.#refusals > 0) {
      const wait = refusalBackoffMs * 2 ** Math.min(this.#refusals - 1, 20);
      this.#notBefore = clock.monotonic() + Math.min(wait, refusalBackoffMsMax);
    }
    this.#refusals += 1;
  }

  accepted(): void {
    this.#refusals = 0;
  }

  /** True once for each time that it is reached. */
  tell(): boolean {
    const first = !this.#isTold;
    this.#isTold = true;
    return first;
  }
}
