import { addPath, exportVariable, getBooleanInput, setOutput, warning } from "@actions/core";
import { type Diagnosis, packageVersion } from "../../src/index.ts";
import { installCommand } from "../command-line.ts";
import { checkHost } from "../host-check.ts";
import { readJob } from "../job.ts";
import { keepsOnMachine } from "../machine-cache.ts";
import { stepPaths } from "../paths.ts";
import { say } from "../say.ts";
import { rememberStep } from "../step-state.ts";

/** Minutes that a bare host may take. */
const hostMs = 20 * 60_000;

/** Puts the command line on the PATH and makes the host ready, for steps that use it or the test plugin. */
export async function setUp(): Promise<void> {
  const job = await readJob();
  keepsOnMachine(job);
  const { state } = stepPaths(job.temp, "setup");
  const host = getBooleanInput("host") ? await readyHost(state) : null;
  addPath(await installCommand(job));
  exportVariable("MICROAGENT_STATE_DIR", state);
  const choice = host?.supervisor?.host;
  setOutput("version", packageVersion);
  setOutput("accel", choice?.accel ?? "");
  setOutput("state-dir", state);
  if (choice?.accel === "tcg") warning(`Acceleration: tcg. ${choice.accelReason}`);
  say(`microagent ${packageVersion} is on the PATH`);
}

async function readyHost(state: string): Promise<Diagnosis> {
  const beforeFix = (kvmMode: string) => rememberStep({ kvmMode });
  const fix = getBooleanInput("fix-kvm") ? beforeFix : null;
  return await checkHost(state, true, fix, AbortSignal.timeout(hostMs));
}
