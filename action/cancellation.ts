/** The runner's way of ending a step: SIGINT, 7.5 s later SIGTERM, 2.5 s later the end of everything. */
export interface Cancellation extends Disposable {
  readonly signal: AbortSignal;
}

export function listenForCancellation(): Cancellation {
  const controller = new AbortController();
  const handlers = (["SIGINT", "SIGTERM"] as const).map((signal) => {
    const handle = () => controller.abort({ signal });
    process.on(signal, handle);
    return () => process.off(signal, handle);
  });
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const off of handlers) off();
    },
  };
}
