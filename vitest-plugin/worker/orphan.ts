/**
 * A worker process whose main process has been killed would go on testing: it ends instead, and its machines with
 * it. A worker thread ends with its process anyway. In a terminal an interrupt reaches workers too, and must not
 * end them before the main process has cancelled their tests.
 */
export function dieWithMain(): void {
  if (process.send === undefined || installed()) return;
  process.on("disconnect", () => process.exit(1));
  process.on("SIGINT", () => {});
}

const key = Symbol.for("microagent.vitest.orphan");

function installed(): boolean {
  const holder = globalThis as { [key]?: boolean };
  const was = holder[key] === true;
  holder[key] = true;
  return was;
}
