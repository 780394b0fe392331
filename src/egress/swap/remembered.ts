import { limits } from "../../base/limits.ts";
import type { Clock } from "../../base/op.ts";
import type { Credential } from "./credential.ts";
import { Automaton } from "./echo/automaton.ts";
import { type Needle, needlesOf } from "./echo/needles.ts";

interface Value {
  readonly needles: readonly Needle[];
  /** Sources that would put it into a request, and exchanges that it was put into. */
  holders: number;
  /** On the monotonic clock, of one that nobody holds. */
  until: number;
}

/**
 * The values that no answer may bring back, of all hosts of one workspace: those that are held, and for a while
 * those that were. Nothing evicts a value: how many there can be in that while is bounded where they are acquired.
 */
export class Remembered {
  readonly #clock: Clock;
  readonly #values = new Map<string, Value>();
  #automaton: Automaton | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Returns what ends the holding. */
  hold(credential: Credential): () => void {
    const held = credential.echoes().map((text) => this.#valueOf(text));
    for (const value of held) value.holders += 1;
    this.#forget();
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      for (const value of held) {
        value.holders -= 1;
        value.until = this.#clock.monotonic() + limits.swap.rememberedMs;
      }
    };
  }

  /** What finds all of them; another one once there are others. */
  automaton(): Automaton {
    this.#automaton ??= new Automaton([...this.#values.values()].flatMap(({ needles }) => needles));
    return this.#automaton;
  }

  #valueOf(text: string): Value {
    const known = this.#values.get(text);
    if (known !== undefined) return known;
    const made = { needles: needlesOf(text), holders: 0, until: 0 };
    this.#values.set(text, made);
    this.#automaton = null;
    return made;
  }

  #forget(): void {
    const now = this.#clock.monotonic();
    for (const [text, { holders, until }] of this.#values) {
      if (holders > 0 || until > now) continue;
      this.#values.delete(text);
      this.#automaton = null;
    }
  }
}
