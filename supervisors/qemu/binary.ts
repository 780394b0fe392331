import { realpath, stat } from "node:fs/promises";
import type { Op } from "../../src/base/op.ts";
import { hostEnvironment } from "../../src/host/environment.ts";
import { findTool, installHint } from "../../src/host/find-tool.ts";
import { runTool } from "../../src/host/run-tool.ts";
import type { Arch, Refusal } from "../../src/supervisor/port.ts";
import { readVerdict, verdictKey, writeVerdict } from "./verdict-cache.ts";
import { majorOf, parseVersion } from "./version.ts";

/** Oldest QEMU whose microvm machine, JSON block devices and sandbox are as `plan` writes them. */
const majorMin = 7;

export interface QemuBinary {
  readonly path: string;
  /** As QEMU prints it, for example "7.2.22". */
  readonly version: string;
  /** Names exactly this file: a replaced program is another one. */
  readonly fingerprint: string;
}

/** The QEMU for `arch`: the program named by MICROAGENT_QEMU, else the one in PATH. */
export async function findQemu(
  op: Op,
  arch: Arch,
  cacheDir: string,
): Promise<QemuBinary | Refusal> {
  const named = hostEnvironment.env("MICROAGENT_QEMU");
  const program = named ?? `qemu-system-${arch}`;
  const path = await findTool(program);
  if (path === null) {
    return named === undefined
      ? refusal("vmm_not_found", `Program "${program}" is not installed`, installHint(program))
      : refusal(
          "vmm_not_found",
          `MICROAGENT_QEMU names "${named}", which is not a program`,
          `Unset MICROAGENT_QEMU or set it to the path of qemu-system-${arch}`,
        );
  }
  const fingerprint = await fingerprintOf(path);
  const version = await cachedVersion(op, path, fingerprint, cacheDir);
  if (version === null) {
    return refusal(
      "vmm_not_found",
      `Program "${path}" does not tell a QEMU version`,
      installHint(`qemu-system-${arch}`),
    );
  }
  if (majorOf(version) < majorMin) {
    return refusal(
      "vmm_too_old",
      `QEMU "${path}" has version ${version}, wanted ${majorMin}.0 or newer`,
      `Install a newer one, or name it with MICROAGENT_QEMU=/path/to/qemu-system-${arch}`,
    );
  }
  return { path, version, fingerprint };
}

async function cachedVersion(
  op: Op,
  path: string,
  fingerprint: string,
  cacheDir: string,
): Promise<string | null> {
  // Asking costs 15 ms of dynamic linking each time, as much as a tenth of a warm start.
  const key = verdictKey("qemu-version", [fingerprint]);
  const known = await readVerdict(cacheDir, key, op.clock.now());
  if (known?.ok === true) return known.text;
  const output = await runTool(op, path, ["--version"]).catch((error: unknown) => {
    op.check();
    return { stdout: "", error };
  });
  const version = parseVersion(output.stdout);
  if (version !== null) await writeVerdict(cacheDir, key, { ok: true, text: version });
  return version;
}

async function fingerprintOf(path: string): Promise<string> {
  const real = await realpath(path);
  const { size, mtimeMs, ino } = await stat(real);
  return `${real}:${size}:${mtimeMs}:${ino}`;
}

function refusal(code: Refusal["code"], reason: string, hint: string): Refusal {
  return { supervisor: "qemu", code, reason, hint };
}
