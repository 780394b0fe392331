import { MicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import type { Workspace } from "../workspace.ts";
import type { ReadyCommand } from "./template.ts";

/** Repeats a command until it ends with 0. `setup_failed` with its last output when it never does. */
export async function awaitReady(
  op: Op,
  workspace: Workspace,
  ready: ReadyCommand,
  env: readonly string[],
): Promise<void> {
  const deadline = op.clock.monotonic() + ready.timeoutMs;
  const [program = ""] = ready.argv;
  for (;;) {
    const leftMs = Math.max(1, deadline - op.clock.monotonic());
    const result = await workspace.agent.run(op, {
      argv: [...ready.argv],
      env: [...env],
      cwd: "/",
      user: "0:0",
      stdin: false,
      tty: null,
      timeoutMs: leftMs,
    });
    if (result.exitCode === 0) return;
    if (op.clock.monotonic() + ready.everyMs >= deadline) {
      throw new MicroagentError(
        "setup_failed",
        `Readiness command "${program}" did not end with 0 within ${ready.timeoutMs} ms`,
        { step: "ready", details: { exitCode: result.exitCode, timeoutMs: ready.timeoutMs } },
      );
    }
    await op.sleep(ready.everyMs);
  }
}
