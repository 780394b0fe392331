import { basename, join } from "node:path";
import { namesIn } from "../../host/directory-names.ts";
import type { DiskAttachment, DiskLayer } from "../../supervisor/port.ts";
import { scratchDisk, scratchFile } from "../workspace-dir.ts";

/**
 * The disk that earlier machines left in a directory; null when there is none. The files tell by their names how
 * they lie on each other, so that no record has to be right after a crash: first what a snapshot gave
 * (`scratch.0.raw`, `scratch.1.qcow2`), then what was begun here, then the files that each save added
 * (`NAME.1`, `NAME.2`; those of a later machine, which continued `NAME.2`, are `NAME.2.1`).
 */
export async function diskIn(
  dir: string,
  durability: DiskAttachment["durability"],
): Promise<DiskAttachment | null> {
  const layers = chainOf(await namesIn(dir)).map(({ path, format }) => ({
    path: join(dir, path),
    format,
  }));
  const top = layers.at(-1);
  if (top === undefined) return null;
  const disk = { id: scratchDisk, readOnly: false, durability } as const;
  // What a snapshot gave is the snapshot's too, and may be others': what is written lies on top of it.
  if (isGiven(basename(top.path))) {
    return { ...disk, path: join(dir, `${scratchDisk}.qcow2`), layers };
  }
  const below = layers.slice(0, -1);
  if (below.length === 0) return { ...disk, path: top.path };
  return { ...disk, path: top.path, layers: below, continues: true };
}

function isGiven(name: string): boolean {
  return givenPattern.test(name);
}

const givenPattern = /^scratch\.([0-9]{1,4})\.(raw|qcow2)$/;

/** The files of the disk among others, the lowest first. */
export function chainOf(names: readonly string[]): DiskLayer[] {
  const given = names
    .flatMap((name): { index: number; layer: DiskLayer }[] => {
      const [, index, format] = givenPattern.exec(name) ?? [];
      if (index === undefined) return [];
      const layer = { path: name, format: format === "raw" ? "raw" : "qcow2" } as const;
      return [{ index: Number(index), layer }];
    })
    .sort((a, b) => a.index - b.index)
    .map(({ layer }) => layer);
  const begun = given.length === 0 ? scratchFile : `${scratchDisk}.qcow2`;
  if (!names.includes(begun)) return given;
  const chain: DiskLayer[] = [
    ...given,
    { path: begun, format: given.length === 0 ? "raw" : "qcow2" },
  ];
  for (let below = begun; ; ) {
    let last = below;
    for (let count = 1; names.includes(`${below}.${count}`); count++) {
      last = `${below}.${count}`;
      chain.push({ path: last, format: "qcow2" });
    }
    if (last === below) return chain;
    below = last;
  }
}
