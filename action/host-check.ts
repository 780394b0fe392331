import { endGroup, startGroup, warning } from "@actions/core";
import {
  createEngine,
  type Diagnosis,
  diagnose,
  MicroagentError,
  mend,
  stateLayout,
  withOp,
} from "../src/index.ts";
import { messageFor } from "./failure-message.ts";
import { needsOf } from "./host-needs.ts";
import { type BeforeKvmFix, openKvm } from "./kvm-access.ts";
import { say } from "./say.ts";

/** Minutes that installing QEMU and fetching a kernel may take. */
const mendMs = 15 * 60_000;

/** Looks at the host as a boot would, installs what is missing where it may, and says what it found. */
export async function checkHost(
  stateDir: string,
  builds: boolean,
  fixKvm: BeforeKvmFix | null,
  signal: AbortSignal,
): Promise<Diagnosis> {
  startGroup("Host check");
  try {
    const kvm = await openKvm(fixKvm);
    if (kvm.kind === "fixed") say("/dev/kvm was closed to this user: opened with a udev rule");
    if (kvm.kind === "closed") warning(`/dev/kvm is closed to this user. Hint: ${kvm.remedy}`);
    const engine = createEngine(stateLayout({ stateDir }));
    const diagnosis = await withOp("host", { signal, timeoutMs: mendMs }, async (op) => {
      const found = await diagnose(op, engine);
      const checks = needsOf(found, builds);
      if (checks.length === 0) return found;
      try {
        return await mend(op, engine, { ...found, checks });
      } catch (error) {
        // What only might be needed is no reason to stop here.
        if (found.verdict === "failed" || op.signal.aborted) throw error;
        warning(messageFor(error));
        return found;
      }
    });
    for (const check of diagnosis.checks)
      say(`${check.verdict.padEnd(8)} ${check.id}: ${check.found}`);
    const broken = diagnosis.checks.find(({ verdict }) => verdict === "failed");
    if (broken !== undefined) {
      const sentence = `This host cannot run machines: ${broken.found}`;
      const hint = broken.remedy?.command;
      throw new MicroagentError("host_unsupported", sentence, hint === undefined ? {} : { hint });
    }
    return diagnosis;
  } finally {
    endGroup();
  }
}
