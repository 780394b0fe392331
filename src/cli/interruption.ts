import { type ProgressListener, realClock } from "../base/op.ts";
import { type EndingSignal, endingCodes, type Terminal } from "./terminal.ts";

/** From the first signal to the end of this process, whatever it is doing then. */
const patienceMs = 4_700;

/** The one place in which signals that want this process to end become the end of what it does. */
export interface Interruption {
  /** Aborted by the first signal that nobody has taken; the reason has its name. */
  readonly signal: AbortSignal;
  /** That signal. */
  readonly by: EndingSignal | null;
  /** A listener to progress that knows, beside `next`, which step did not end in time. */
  watching(next: ProgressListener): ProgressListener;
  /** Gives signals to `taker` until the returned function is called: to a command of a guest, for example. */
  divert(taker: (signal: EndingSignal) => void): () => void;
  /** Ends this process as after `signal` when it is not over in time. */
  giveUpAfter(signal: EndingSignal): void;
}

const interruptions = new WeakMap<Terminal, Interruption>();

/** The interruption of the process behind a terminal, which listens from its first use to the end. */
export function interruptionOf(terminal: Terminal): Interruption {
  const known = interruptions.get(terminal);
  if (known !== undefined) return known;
  const made = listen(terminal);
  interruptions.set(terminal, made);
  return made;
}

function listen(terminal: Terminal): Interruption {
  const controller = new AbortController();
  const takers: ((signal: EndingSignal) => void)[] = [];
  let by: EndingSignal | null = null;
  let isGivingUp = false;
  let step: string | null = null;
  const interruption: Interruption = {
    signal: controller.signal,
    get by() {
      return by;
    },
    watching: (next) => (event) => {
      if (event.kind === "step-start") step = event.path;
      next(event);
    },
    divert(taker) {
      takers.push(taker);
      return () => {
        const at = takers.indexOf(taker);
        if (at >= 0) takers.splice(at, 1);
      };
    },
    giveUpAfter(signal) {
      if (isGivingUp) return;
      isGivingUp = true;
      realClock.after(patienceMs, () => {
        const what = step === null ? "the command" : `step "${step}"`;
        void terminal.writeErr(`interrupted by ${signal}; ${what} did not end in time\n`);
        terminal.exitNow(endingCodes[signal]);
      });
    },
  };
  terminal.onSignal((signal) => {
    // The second one ends everything at once.
    if (by !== null) terminal.exitNow(endingCodes[signal]);
    const taker = takers.at(-1);
    if (taker !== undefined) return taker(signal);
    by = signal;
    terminal.exitCode = endingCodes[signal];
    interruption.giveUpAfter(signal);
    controller.abort({ signal });
  });
  return interruption;
}
