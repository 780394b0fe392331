// A process of its own: Node's gunzip of the layers, one after the other, the bytes dropped.
//   node measure-gunzip.mjs LAYER...  prints {"ms", "bytes"}
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";

const chunkBytes = 256 * 1024;
let bytes = 0;
const started = performance.now();
for (const path of process.argv.slice(2)) {
  const source = createReadStream(path, { highWaterMark: chunkBytes });
  await pipeline(source, createGunzip({ chunkSize: chunkBytes }), async (chunks) => {
    for await (const chunk of chunks) bytes += chunk.length;
  });
}
process.stdout.write(JSON.stringify({ ms: performance.now() - started, bytes }));
