/** A small LZ4 legacy writer: correct, not clever. Each block repeats runs and copies the rest. */
export function packLz4Legacy(data: Uint8Array, blockBytes: number = 8 * 1024 * 1024): Buffer {
  const parts: Buffer[] = [Buffer.from([0x02, 0x21, 0x4c, 0x18])];
  for (let at = 0; at < data.length || at === 0; at += blockBytes) {
    const block = packBlock(data.subarray(at, at + blockBytes));
    const size = Buffer.alloc(4);
    size.writeUInt32LE(block.length);
    parts.push(size, block);
  }
  return Buffer.concat(parts);
}

function packBlock(data: Uint8Array): Buffer {
  const out: number[] = [];
  let literalsAt = 0;
  let at = 1;
  while (at < data.length) {
    let run = 0;
    while (at + run < data.length && data[at + run] === data[at - 1]) run++;
    // The last bytes of a block are always literals.
    if (run < 4 || at + run > data.length - 5) {
      at += Math.max(1, run);
      continue;
    }
    sequence(out, data.subarray(literalsAt, at), run);
    out.push(1, 0);
    if (run - 4 >= 15) lengthBytes(out, run - 4 - 15);
    at += run;
    literalsAt = at;
  }
  sequence(out, data.subarray(literalsAt), null);
  return Buffer.from(out);
}

function sequence(out: number[], literals: Uint8Array, match: number | null): void {
  const matchNibble = match === null ? 0 : Math.min(15, match - 4);
  out.push((Math.min(15, literals.length) << 4) | matchNibble);
  if (literals.length >= 15) lengthBytes(out, literals.length - 15);
  for (const byte of literals) out.push(byte);
}

function lengthBytes(out: number[], rest: number): void {
  let left = rest;
  for (; left >= 255; left -= 255) out.push(255);
  out.push(left);
}
