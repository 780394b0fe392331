/** A reader for "newc" archives, written from the format's description and not from our writer. */
export interface ReadEntry {
  readonly path: string;
  readonly inode: number;
  readonly mode: number;
  readonly mtime: number;
  readonly uid: number;
  readonly rdev: readonly [number, number];
  readonly data: Buffer;
}

export function readCpio(archive: Uint8Array): ReadEntry[] {
  const bytes = Buffer.from(archive);
  const entries: ReadEntry[] = [];
  for (let at = 0; ; ) {
    if (bytes.toString("latin1", at, at + 6) !== "070701") throw new Error(`no header at ${at}`);
    const field = (index: number) =>
      Number.parseInt(bytes.toString("latin1", at + 6 + index * 8, at + 14 + index * 8), 16);
    const nameBytes = field(11);
    const path = bytes.toString("utf8", at + 110, at + 110 + nameBytes - 1);
    if (bytes[at + 110 + nameBytes - 1] !== 0) throw new Error(`name of ${path} has no end`);
    const dataAt = align4(at + 110 + nameBytes);
    if (path === "TRAILER!!!") return entries;
    entries.push({
      path,
      inode: field(0),
      mode: field(1),
      uid: field(2),
      mtime: field(5),
      rdev: [field(9), field(10)],
      data: bytes.subarray(dataAt, dataAt + field(6)),
    });
    at = align4(dataAt + field(6));
  }
}

function align4(value: number): number {
  return (value + 3) & ~3;
}
