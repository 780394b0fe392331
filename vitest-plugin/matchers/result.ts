import { MicroagentError } from "../../src/index.ts";
import { type ExecResult, endOf, outputHint, shorter } from "../machine/exec.ts";

interface Verdict {
  pass: boolean;
  message: () => string;
}

export function toSucceed(received: unknown): Verdict {
  return exited(received, 0);
}

export function toExitWith(received: unknown, code: number): Verdict {
  return exited(received, code);
}

function exited(received: unknown, code: number): Verdict {
  const result = resultOf(received);
  const pass = result.exitCode === code && !result.timedOut;
  return {
    pass,
    message: () =>
      `Command "${shorter(result.command)}" ${endOf(result)}, ${pass ? "did not want" : "wanted"} exit code ${code}\n${outputHint(result)}`,
  };
}

function resultOf(received: unknown): ExecResult {
  if (typeof received === "object" && received !== null && "exitCode" in received) {
    return received as ExecResult;
  }
  throw new MicroagentError("invalid_argument", "What was expected is no command's result", {
    hint: "Await the command first: expect(await vm.exec`...`).toSucceed()",
  });
}
