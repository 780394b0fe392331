import { MicroagentError } from "../base/errors.ts";
import type { Op } from "../base/op.ts";
import { hostEnvironment } from "../host/environment.ts";
import { findTool, runTool } from "../host/run-tool.ts";
import type { Engine } from "../workspace/engine.ts";
import { type Diagnosis, diagnose } from "./doctor.ts";

/**
 * Runs every remedy a diagnosis names, packages first, and looks again, at the acceleration too. `host_tool_failed` when a
 * command fails, `host_unsupported` where packages cannot be installed from here.
 */
export async function mend(op: Op, engine: Engine, before: Diagnosis): Promise<Diagnosis> {
  const remedies = before.checks.flatMap((check) => check.remedy ?? []);
  const packages = [...new Set(remedies.flatMap((remedy) => remedy.packages))];
  if (packages.length > 0) {
    await op.step("packages", (step) => installPackages(step, packages));
  }
  if (remedies.some((remedy) => remedy.kernel)) {
    await op.step("kernel", (step) => engine.kernels.resolve(step, undefined, undefined));
  }
  return await diagnose(op, engine, { fresh: true });
}

async function installPackages(op: Op, packages: readonly string[]): Promise<void> {
  const command = await privileged();
  if (command === null) {
    throw new MicroagentError(
      "host_unsupported",
      "Packages cannot be installed from here: apt-get as root, or sudo without a password, is wanted",
      { hint: `Ask somebody who may to run: apt-get install -y ${packages.join(" ")}` },
    );
  }
  const [file = "apt-get", ...words] = [...command, "apt-get"];
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  op.report({ kind: "note", text: `apt-get install ${packages.join(" ")}` });
  await runTool(op, file, [...words, "update", "-q"], { env, inheritEnv: true });
  await runTool(
    op,
    file,
    [...words, "install", "-y", "-q", "--no-install-recommends", ...packages],
    {
      env,
      inheritEnv: true,
    },
  );
}

/** Words to put before `apt-get`: none for root, `sudo -n` where that works, null where nothing does. */
async function privileged(): Promise<readonly string[] | null> {
  if ((await findTool("apt-get")) === null) return null;
  if (hostEnvironment.uid === 0) return [];
  return (await findTool("sudo")) === null ? null : ["sudo", "-n"];
}
