/**
 * Last acts of this process. Node runs `exit` listeners for a normal end and for an uncaught error,
 * but a signal nobody handles ends the process without them; so while there is anything to do, this
 * module also listens to the terminating signals and, if it is alone in doing so, acts and lets the
 * signal have its usual effect. Whoever handles a signal himself keeps that right.
 */

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const acts = new Set<() => void>();

/**
 * Registers a synchronous act for the end of this process, whatever ends it except SIGKILL. Returns
 * the function that takes it back. The process listeners come with the first act and go with the last.
 */
export function onProcessExit(act: () => void): () => void {
  // A wrapper of its own, so that registering one function twice gives two registrations.
  const entry = () => act();
  if (acts.size === 0) install();
  acts.add(entry);
  return () => {
    if (acts.delete(entry) && acts.size === 0) uninstall();
  };
}

function install(): void {
  process.on("exit", runAll);
  for (const signal of signals) process.on(signal, onSignal);
}

function uninstall(): void {
  process.off("exit", runAll);
  for (const signal of signals) process.off(signal, onSignal);
}

function onSignal(signal: NodeJS.Signals): void {
  if (process.listeners(signal).some((listener) => listener !== onSignal)) return;
  runAll();
  uninstall();
  process.kill(process.pid, signal);
}

function runAll(): void {
  for (const act of [...acts].reverse()) {
    try {
      act();
    } catch {
      // Nobody is left to hear it, and the other acts still have to run.
    }
  }
  acts.clear();
}
