import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { isTimeout } from "../../src/base/errors.ts";
import { randomHex } from "../../src/base/ids.ts";
import type { Op } from "../../src/base/op.ts";
import { hostHandshake } from "../../src/channel/handshake.ts";
import { hostEnvironment } from "../../src/host/environment.ts";
import { makeTempDir } from "../../src/host/files.ts";
import { withLock } from "../../src/host/lock.ts";
import type { HostFacts, KernelImage, Machine } from "../../src/supervisor/port.ts";
import { startQemu } from "./machine.ts";
import { type PlanOptions, planQemu } from "./plan.ts";
import { passingMs, readVerdict, type Verdict, verdictKey, writeVerdict } from "./verdict-cache.ts";

/** A hypervisor boots a guest in well under a second; one that does not work never answers. */
const deadlineMs = 5_000;
const exitWaitMs = 300;

/** What is booted for a proof, and where its verdict is kept. */
export interface ProofRequest {
  readonly kernel: KernelImage;
  readonly initramfsPath: string;
  readonly cacheDir: string;
  /** Boot again, whatever is known. */
  readonly fresh?: boolean | undefined;
}

/**
 * Boots the very kernel and initramfs with the acceleration in question until the agent answers.
 * The verdict, with its reason, holds for this boot of the host, kernel, initramfs and QEMU, and is
 * made once even by many processes at once. That nobody answered in time may be the work of a busy host,
 * so it holds for an hour only.
 */
export async function proveAccel(
  op: Op,
  request: ProofRequest,
  host: HostFacts,
  vmmFingerprint: string,
  options: PlanOptions,
): Promise<Verdict> {
  const key = verdictKey(`accel-${host.accel}`, [
    hostEnvironment.bootId ?? "no boot id",
    request.kernel.sha256,
    request.initramfsPath,
    vmmFingerprint,
    options.cpuModel ?? "",
  ]);
  const known = () => readVerdict(request.cacheDir, key, op.clock.now());
  const before = await known();
  if (before !== null && request.fresh !== true) return before;
  return await withLock(op, join(request.cacheDir, `${key}.lock`), async (locked) => {
    const meanwhile = await known();
    // What was known before is not fresh; what another process found while we waited is.
    const isOld = request.fresh === true && isDeepStrictEqual(meanwhile, before);
    if (meanwhile !== null && !isOld) return meanwhile;
    const verdict = await proofBoot(locked, request, host, options);
    await writeVerdict(request.cacheDir, key, verdict);
    return verdict;
  });
}

async function proofBoot(
  op: Op,
  request: ProofRequest,
  host: HostFacts,
  options: PlanOptions,
): Promise<Verdict> {
  await using dir = await makeTempDir(tmpdir(), "microagent-probe-");
  const plan = planQemu(
    {
      name: `probe-${randomHex(4)}`,
      memoryMib: 256,
      cpus: 1,
      kernel: request.kernel,
      initramfsPath: request.initramfsPath,
      disks: [],
      cmdline: [],
      consolePath: join(dir.path, "console.log"),
    },
    host,
    options,
  );
  const startedAt = op.clock.monotonic();
  let machine: Machine | null = null;
  try {
    return await op.step(
      "guest answers",
      async (step) => {
        machine = await startQemu(step, plan);
        await hostHandshake(step, machine.link);
        const tookMs = Math.round(op.clock.monotonic() - startedAt);
        return { ok: true, text: `the guest answered after ${tookMs} ms` };
      },
      { timeoutMs: deadlineMs },
    );
  } catch (error) {
    op.check();
    const verdict = { ok: false, text: await explain(op, machine, error) };
    return isTimeout(error) ? { ...verdict, untilMs: op.clock.now() + passingMs } : verdict;
  } finally {
    await (machine as Machine | null)?.kill("the proof is over");
  }
}

async function explain(op: Op, machine: Machine | null, error: unknown): Promise<string> {
  if (isTimeout(error)) {
    return `the guest did not answer within ${deadlineMs / 1_000} s; microagent doctor --reprobe tries again`;
  }
  const exit = machine === null ? null : await Promise.race([machine.exit, op.sleep(exitWaitMs)]);
  if (exit?.kind === "crashed") return exit.detail;
  if (exit?.kind === "killed" && exit.outOfMemory !== null) return exit.outOfMemory.sentence;
  return error instanceof Error ? error.message : String(error);
}
