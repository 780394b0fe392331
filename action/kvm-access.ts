import { lstat, open } from "node:fs/promises";
import { exec, getExecOutput } from "@actions/exec";

/** Named so that whoever finds it knows whose it is. */
const rulePath = "/etc/udev/rules.d/99-microagent-kvm.rules";
const rule = 'KERNEL=="kvm", GROUP="kvm", MODE="0666", OPTIONS+="static_node=kvm"';

export type KvmAccess =
  | { readonly kind: "open" | "absent" }
  /** We opened it. */
  | { readonly kind: "fixed" }
  | { readonly kind: "closed"; readonly remedy: string };

/** Told before anything is changed, with the mode that is to be put back. */
export type BeforeKvmFix = (mode: string) => void;

/**
 * Makes `/dev/kvm` usable for this user where it exists, is closed, and sudo asks for no password; null only
 * looks. That it opens does not mean that it works: only a boot tells.
 */
export async function openKvm(fix: BeforeKvmFix | null, device = "/dev/kvm"): Promise<KvmAccess> {
  if (!(await exists(device))) return { kind: "absent" };
  if (await opens(device)) return { kind: "open" };
  const remedy = `echo '${rule}' | sudo tee ${rulePath} && sudo udevadm control --reload-rules && sudo udevadm trigger --name-match=kvm && sudo udevadm settle`;
  if (fix === null || !(await quiet("sudo", ["-n", "true"]))) return { kind: "closed", remedy };
  const { stdout } = await getExecOutput("stat", ["-c", "%a", device], {
    silent: true,
    ignoreReturnCode: true,
  });
  fix(stdout.trim());
  await quiet("sudo", ["-n", "tee", rulePath], Buffer.from(`${rule}\n`));
  await quiet("sudo", ["-n", "udevadm", "control", "--reload-rules"]);
  await quiet("sudo", ["-n", "udevadm", "trigger", "--name-match=kvm"]);
  // Without this the test below races with the rule.
  await quiet("sudo", ["-n", "udevadm", "settle", "--timeout=10"]);
  if (await opens(device)) return { kind: "fixed" };
  await quiet("sudo", ["-n", "rm", "-f", rulePath]);
  return { kind: "closed", remedy };
}

/** Takes the rule away and closes the device again; for machines that outlive the job. */
export async function closeKvm(mode: string, device = "/dev/kvm"): Promise<void> {
  await quiet("sudo", ["-n", "rm", "-f", rulePath]);
  await quiet("sudo", ["-n", "udevadm", "control", "--reload-rules"]);
  if (/^[0-7]{3,4}$/.test(mode)) await quiet("sudo", ["-n", "chmod", mode, device]);
}

async function exists(path: string): Promise<boolean> {
  return await lstat(path).then(
    () => true,
    () => false,
  );
}

/** Its mode bits do not tell: access lists, groups and containers have a say too. */
async function opens(path: string): Promise<boolean> {
  try {
    await (await open(path, "r+")).close();
    return true;
  } catch {
    return false;
  }
}

async function quiet(file: string, args: string[], input?: Buffer): Promise<boolean> {
  const given = input === undefined ? {} : { input };
  const status = await exec(file, args, { silent: true, ignoreReturnCode: true, ...given }).catch(
    () => 1,
  );
  return status === 0;
}
