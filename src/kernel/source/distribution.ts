import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { MicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import type { StateLayout } from "../../host/state-layout.ts";
import type { Arch } from "../../supervisor/port.ts";
import { identifyKernel } from "../formats/identify.ts";
import { sha256Of } from "../hash-file.ts";
import { publishKernel } from "../kernel-directory.ts";
import { findModules, openModuleTree } from "../modules/module-tree.ts";
import type { KernelRecord } from "../record.ts";
import { emptyScratchDir } from "../scratch-dir.ts";
import { soundRecord } from "../store.ts";
import { type AptPackage, openApt } from "./apt.ts";
import { followMetaPackage, unpackPackages } from "./package-source.ts";

/** Meta packages by preference: Debian's cloud kernel, Ubuntu's virtual one, Debian's general one. */
const metaPackages: Readonly<Record<Arch, readonly string[]>> = {
  x86_64: ["linux-image-cloud-amd64", "linux-image-virtual", "linux-image-amd64"],
  aarch64: ["linux-image-cloud-arm64", "linux-image-virtual", "linux-image-arm64"],
};
/** The kernel, and its modules where they are a package of their own. */
const kernelPackages = /^linux-(image|modules)-[0-9]/;
const imagePrefix = "linux-image-";

/**
 * Fetches the distribution's kernel for virtual machines through its signed package manager and
 * puts it into the store, unpacked and not installed. Must run alone. `kernel_fetch_failed`,
 * `kernel_digest_mismatch`, `kernel_not_found`, `host_unsupported`.
 */
export async function installDistributionKernel(
  op: Op,
  layout: StateLayout,
  arch: Arch,
): Promise<KernelRecord> {
  const apt = await openApt(layout);
  const choose = (step: Op) => followMetaPackage(step, apt, metaPackages[arch], kernelPackages);
  const known = await installedFrom(op, layout, await op.step("look up", choose));
  if (known !== null) return known;
  await using scratch = await emptyScratchDir(layout, "kernel-fetch");
  const packages = await unpackPackages(op, apt, scratch.path, choose);
  const { path, release } = await findKernel(scratch.path, packages[0]?.name ?? "");
  const bytes = await op.race(readFile(path));
  const kernel = await op.step("unpack kernel", (step) => identifyKernel(step, bytes, path));
  const modulesRoot = await findModules(scratch.path, release);
  return await publishKernel(op, layout, {
    name: storeName(release),
    source: "apt",
    origin: originOf(packages),
    sha256: sha256Of(bytes),
    kernel,
    config: await readFile(join(scratch.path, "boot", `config-${release}`), "utf8").catch(
      () => null,
    ),
    modules: modulesRoot === null ? null : await openModuleTree(op, modulesRoot),
    build: null,
  });
}

/** What is in the store already, when it came from exactly these packages. */
async function installedFrom(
  op: Op,
  layout: StateLayout,
  packages: readonly AptPackage[],
): Promise<KernelRecord | null> {
  const image = packages.find(({ name }) => name.startsWith(imagePrefix));
  if (image === undefined) return null;
  const record = await soundRecord(op, layout, storeName(image.name.slice(imagePrefix.length)));
  return record?.origin === originOf(packages) ? record : null;
}

function originOf(packages: readonly AptPackage[]): string {
  return packages.map(({ name, version }) => `${name} ${version}`).join(", ");
}

function storeName(release: string): string {
  return `distribution-${release}`;
}

async function findKernel(
  root: string,
  packageName: string,
): Promise<{ path: string; release: string }> {
  const files = await readdir(join(root, "boot")).catch(() => []);
  const name = files.find((file) => file.startsWith("vmlinuz-"));
  if (name === undefined) {
    throw new MicroagentError(
      "kernel_not_found",
      `Package "${packageName}" holds no "boot/vmlinuz-*"`,
    );
  }
  return { path: join(root, "boot", name), release: name.slice("vmlinuz-".length) };
}
