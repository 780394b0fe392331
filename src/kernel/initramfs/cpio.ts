/** One entry of an initramfs. Owner is always root, times are always zero. */
export type CpioEntry =
  | { readonly kind: "directory"; readonly path: string; readonly mode: number }
  | {
      readonly kind: "file";
      readonly path: string;
      readonly mode: number;
      readonly data: Uint8Array;
    }
  | {
      readonly kind: "character-device";
      readonly path: string;
      readonly mode: number;
      readonly major: number;
      readonly minor: number;
    };

const typeBits = { directory: 0o040000, file: 0o100000, "character-device": 0o020000 } as const;
const magic = "070701";
const trailer = "TRAILER!!!";
/** The kernel reads archives in such blocks, and other tools warn about anything else. */
const blockBytes = 512;
const firstInode = 1;

/**
 * Writes a "newc" archive. The same entries give the same bytes: inode numbers count up, nothing
 * depends on a clock or a file system. Paths are relative and parents come before children.
 */
export function writeCpio(entries: readonly CpioEntry[]): Uint8Array {
  const parts: Uint8Array[] = [];
  entries.forEach((entry, index) => {
    const data = entry.kind === "file" ? entry.data : new Uint8Array(0);
    parts.push(header(entry, firstInode + index, data.length), data, padding(data.length, 4));
  });
  parts.push(trailerHeader());
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  parts.push(padding(length, blockBytes));
  return Buffer.concat(parts);
}

function header(entry: CpioEntry, inode: number, dataBytes: number): Uint8Array {
  const device = entry.kind === "character-device" ? entry : { major: 0, minor: 0 };
  return record(entry.path, {
    inode,
    mode: typeBits[entry.kind] | entry.mode,
    links: entry.kind === "directory" ? 2 : 1,
    dataBytes,
    major: device.major,
    minor: device.minor,
  });
}

function trailerHeader(): Uint8Array {
  return record(trailer, { inode: 0, mode: 0, links: 1, dataBytes: 0, major: 0, minor: 0 });
}

function record(
  path: string,
  fields: {
    readonly inode: number;
    readonly mode: number;
    readonly links: number;
    readonly dataBytes: number;
    readonly major: number;
    readonly minor: number;
  },
): Uint8Array {
  const name = Buffer.from(`${path}\0`);
  const numbers = [
    fields.inode,
    fields.mode,
    0, // uid
    0, // gid
    fields.links,
    0, // mtime
    fields.dataBytes,
    0, // major and minor of the file system the file came from
    0,
    fields.major,
    fields.minor,
    name.length,
    0, // checksum, unused in this format
  ];
  const text = magic + numbers.map((number) => number.toString(16).padStart(8, "0")).join("");
  const head = Buffer.from(text, "latin1");
  return Buffer.concat([head, name, padding(head.length + name.length, 4)]);
}

function padding(length: number, unit: number): Uint8Array {
  return new Uint8Array((unit - (length % unit)) % unit);
}
