import { constants, copyFile, link } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "../../base/errors.ts";
import { fileError } from "../../host/file-error.ts";
import type { DiskLayer } from "../../supervisor/port.ts";
import { broken } from "./broken.ts";
import type { Manifest } from "./manifest.ts";

/** The files of a saved machine under names that nobody else removes. */
export interface OwnFiles {
  readonly memory: string | null;
  readonly state: string;
  readonly disks: Readonly<Record<string, readonly DiskLayer[]>>;
}

/**
 * Gives a workspace names of its own for everything it starts from: from then on it does not matter to it
 * when the original is removed. A file that is gone is `template_broken`.
 */
export async function linkSaved(path: string, manifest: Manifest, dir: string): Promise<OwnFiles> {
  const own = async (name: string): Promise<string> => {
    const target = join(dir, name);
    await linkOrCopy(join(path, name), target);
    return target;
  };
  const { saved } = manifest;
  const disks: Record<string, readonly DiskLayer[]> = {};
  for (const [id, layers] of Object.entries(saved.disks)) {
    const linked: DiskLayer[] = [];
    for (const layer of layers) linked.push({ ...layer, path: await own(layer.path) });
    disks[id] = linked;
  }
  return {
    memory: saved.memory === null ? null : await own(saved.memory),
    state: await own(saved.state),
    disks,
  };
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT") throw broken(`its file "${from}" is gone`);
    if (errno !== "EXDEV" && errno !== "EPERM" && errno !== "EMLINK") {
      throw fileError(error, `Saved file "${from}" cannot be used`);
    }
    await copyFile(from, to, constants.COPYFILE_FICLONE).catch((cause: unknown) => {
      throw fileError(cause, `Saved file "${from}" cannot be copied`);
    });
  }
}
