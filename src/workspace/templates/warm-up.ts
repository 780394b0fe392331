import type { Op } from "../../base/op.ts";
import type { Workspace } from "../workspace.ts";

/** The first command of a machine brings much into its memory that every clone would have to bring again. */
export async function warmUp(
  op: Op,
  workspace: Workspace,
  shell: string,
  env: readonly string[],
): Promise<void> {
  const request = {
    argv: [shell, "-c", ":"],
    env: [...env],
    cwd: "/",
    user: "0:0",
    stdin: false,
    tty: null,
    timeoutMs: 10_000,
  };
  await workspace.agent.run(op, request).catch(() => {
    // An image without a shell is no reason to have no template.
    op.check();
  });
}
