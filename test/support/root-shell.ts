import type { ExecRequest } from "../../src/agent/exec.ts";
import type { Op } from "../../src/base/op.ts";
import type { Workspace } from "../../src/workspace/workspace.ts";

/** A shell script of root's, as a workspace runs it. */
export function rootScript(script: string): ExecRequest {
  return {
    argv: ["/bin/sh", "-c", script],
    env: ["PATH=/bin:/sbin:/usr/bin:/usr/sbin"],
    cwd: "/",
    user: "0:0",
    stdin: false,
    tty: null,
    timeoutMs: 60_000,
  };
}

/** What a script of root's prints, without white space around it; fails unless it ends with 0. */
export async function sh(op: Op, workspace: Workspace, script: string): Promise<string> {
  const result = await workspace.agent.run(op, rootScript(script));
  if (result.exitCode !== 0) throw new Error(`${script}: ${result.stderr.toString()}`);
  return result.stdout.toString().trim();
}
