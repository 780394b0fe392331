// Cuts one layer into several, so that an image made from packages has layers as pulled ones have.

const block = 512;
/** Headers that belong to the entry after them: PAX records and long names. */
const prefixes = new Set(["x", "g", "L", "K"]);

/** `count` tars of about equal size that unpack, one after the other, to what `tar` unpacks to. */
export function cutTar(tar, count) {
  const cuts = [0];
  let at = 0;
  let afterPrefix = false;
  while (at < tar.length && tar[at] !== 0) {
    if (!afterPrefix && at >= (tar.length / count) * cuts.length) cuts.push(at);
    afterPrefix = prefixes.has(String.fromCharCode(tar[at + 156]));
    at += block + Math.ceil(sizeAt(tar, at) / block) * block;
  }
  const end = Buffer.alloc(2 * block);
  return cuts.map((from, index) => Buffer.concat([tar.subarray(from, cuts[index + 1] ?? at), end]));
}

function sizeAt(tar, at) {
  const field = tar.subarray(at + 124, at + 136);
  if ((field[0] & 0x80) !== 0) return Number(field.readBigUInt64BE(4));
  return Number.parseInt(field.toString("latin1"), 8) || 0;
}
