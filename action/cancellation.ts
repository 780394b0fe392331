/** The runner's way of ending a step: SIGINT, 7.5 s later SIGTERM, 2.5 s later the end of everything. */
export interface Cancellation extends Disposable {
  readonly signal: AbortSignal;
}

/** What a cancelled step may still take: the rest of the runner's patience is for the machine's owner to end it. */
const patienceMs = 4_500;

/**
 * Aborts when the runner asks for the end. Work that does not listen is cut off: `atOnce` is called and the
 * process ends with 1 when its time is over, or at the second signal. What is left over is the post step's.
 */
export function listenForCancellation(atOnce: () => void): Cancellation {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const leave = () => {
    atOnce();
    process.exit(1);
  };
  const handlers = (["SIGINT", "SIGTERM"] as const).map((signal) => {
    const handle = () => {
      if (controller.signal.aborted) leave();
      timer = setTimeout(leave, patienceMs);
      controller.abort({ signal });
    };
    process.on(signal, handle);
    return () => process.off(signal, handle);
  });
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      clearTimeout(timer);
      for (const off of handlers) off();
    },
  };
}

/** Rejects at once when the step is cancelled, whether the work listens or not. */
export async function untilCancelled<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let stop = () => {};
  const cancelled = new Promise<never>((_, reject) => {
    stop = () => reject(new CancelledError());
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
  });
  try {
    return await Promise.race([work, cancelled]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

export class CancelledError extends Error {
  constructor() {
    super("The step was cancelled");
  }
}
