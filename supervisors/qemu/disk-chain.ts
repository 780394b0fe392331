import { constants, copyFile, link, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { errnoOf } from "../../src/base/errors.ts";
import type { Op } from "../../src/base/op.ts";
import { fileError } from "../../src/host/file-error.ts";
import type { DiskAttachment, DiskLayer } from "../../src/supervisor/port.ts";
import type { Control } from "./control.ts";
import { overlayNode } from "./disk.ts";
import { makeOverlay } from "./qcow2.ts";

/** The files of one writable disk of a running machine, the lowest first; only the last one changes. */
export class DiskChain {
  readonly id: string;
  readonly #path: string;
  readonly #disposable: boolean;
  readonly #layers: DiskLayer[];
  #node: string;
  #generation = 0;

  constructor(disk: DiskAttachment, index: number) {
    this.id = disk.id;
    this.#path = disk.path;
    this.#disposable = disk.durability === "disposable";
    const below = disk.layers ?? [];
    this.#layers = [...below, { path: disk.path, format: below.length === 0 ? "raw" : "qcow2" }];
    this.#node = `disk${index}`;
  }

  /**
   * Lets the machine continue in a new file and returns the layers so far, which nothing changes any
   * more. The machine must be stopped.
   */
  async freeze(op: Op, control: Control): Promise<readonly DiskLayer[]> {
    const frozen = [...this.#layers];
    const overlay = `${this.#path}.${++this.#generation}`;
    await makeOverlay(overlay, await virtualSize(frozen));
    const node = `${this.#node.split("-")[0]}-${this.#generation}`;
    await control.execute(op, "blockdev-add", overlayNode(overlay, node, this.#disposable));
    await control.execute(op, "blockdev-snapshot", { node: this.#node, overlay: node });
    this.#node = node;
    this.#layers.push({ path: overlay, format: "qcow2" });
    return frozen;
  }
}

/** Gives layers a second name in `dir`, or a copy on another file system; names relative to `dir`. */
export async function keepLayers(
  id: string,
  layers: readonly DiskLayer[],
  dir: string,
): Promise<DiskLayer[]> {
  const kept: DiskLayer[] = [];
  for (const [index, layer] of layers.entries()) {
    const name = `${id}.${index}.${layer.format}`;
    const target = join(dir, name);
    try {
      await link(layer.path, target);
    } catch (error) {
      if (errnoOf(error) !== "EXDEV" && errnoOf(error) !== "EPERM" && errnoOf(error) !== "EMLINK") {
        throw fileError(error, `Disk "${basename(layer.path)}" cannot be kept as "${target}"`);
      }
      await copyFile(
        layer.path,
        target,
        constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE,
      ).catch((cause: unknown) => {
        throw fileError(cause, `Disk "${layer.path}" cannot be copied to "${target}"`);
      });
    }
    kept.push({ path: name, format: layer.format });
  }
  return kept;
}

/** All layers of a chain are as large as its lowest one. */
export async function virtualSize(layers: readonly DiskLayer[]): Promise<number> {
  const path = layers[0]?.path ?? "";
  try {
    return (await stat(path)).size;
  } catch (error) {
    throw fileError(error, `Disk "${path}" cannot be looked at`);
  }
}
