import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { exec, getExecOutput } from "@actions/exec";

const device = "/dev/kvm";
/** Named so that whoever finds it knows whose it is. */
const rulePath = "/etc/udev/rules.d/99-microagent-kvm.rules";
const rule = 'KERNEL=="kvm", GROUP="kvm", MODE="0666", OPTIONS+="static_node=kvm"';

export type KvmAccess =
  | { readonly kind: "open" | "absent" }
  /** We opened it; `mode` is what it was, to be put back. */
  | { readonly kind: "fixed"; readonly mode: string }
  | { readonly kind: "closed"; readonly remedy: string };

/**
 * Makes `/dev/kvm` usable for this user where it exists, is closed, and sudo asks for no password. That it
 * opens does not mean that it works: only a boot tells.
 */
export async function openKvm(fix: boolean): Promise<KvmAccess> {
  if (!(await may(constants.F_OK))) return { kind: "absent" };
  if (await may(constants.R_OK | constants.W_OK)) return { kind: "open" };
  const remedy = `echo '${rule}' | sudo tee ${rulePath} && sudo udevadm control --reload-rules && sudo udevadm trigger --name-match=kvm && sudo udevadm settle`;
  if (!fix || !(await quiet("sudo", ["-n", "true"]))) return { kind: "closed", remedy };
  const { stdout } = await getExecOutput("stat", ["-c", "%a", device], {
    silent: true,
    ignoreReturnCode: true,
  });
  await exec("sudo", ["-n", "tee", rulePath], {
    input: Buffer.from(`${rule}\n`),
    silent: true,
    ignoreReturnCode: true,
  });
  await quiet("sudo", ["-n", "udevadm", "control", "--reload-rules"]);
  await quiet("sudo", ["-n", "udevadm", "trigger", "--name-match=kvm"]);
  // Without this the test below races with the rule.
  await quiet("sudo", ["-n", "udevadm", "settle", "--timeout=10"]);
  if (await may(constants.R_OK | constants.W_OK)) return { kind: "fixed", mode: stdout.trim() };
  await quiet("sudo", ["-n", "rm", "-f", rulePath]);
  return { kind: "closed", remedy };
}

/** Takes the rule away and closes the device again; for machines that outlive the job. */
export async function closeKvm(mode: string): Promise<void> {
  await quiet("sudo", ["-n", "rm", "-f", rulePath]);
  await quiet("sudo", ["-n", "udevadm", "control", "--reload-rules"]);
  if (/^[0-7]{3,4}$/.test(mode)) await quiet("sudo", ["-n", "chmod", mode, device]);
}

async function may(mode: number): Promise<boolean> {
  return await access(device, mode).then(
    () => true,
    () => false,
  );
}

async function quiet(file: string, args: string[]): Promise<boolean> {
  const status = await exec(file, args, { silent: true, ignoreReturnCode: true }).catch(() => 1);
  return status === 0;
}
