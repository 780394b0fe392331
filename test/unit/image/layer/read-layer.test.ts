import { readdir, readlink } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { type Op, withOp } from "../../../../src/base/op.ts";
import { readAhead } from "../../../../src/image/layer/read-ahead.ts";
import { openLayer, readLayer } from "../../../../src/image/layer/read-layer.ts";
import type { LayerBlob } from "../../../../src/image/layer.ts";
import { inTempDir } from "../../../fixtures/build-listing.ts";
import { storeBlob, storeLayer } from "../../../fixtures/layer-blob.ts";
import { digestOf } from "../../../fixtures/oci-layout.ts";

const text = Buffer.from("0123456789".repeat(300_000));
/** One frame with one raw block that says "hello". */
const zstdHello = Buffer.from("28b52ffd200529000068656c6c6f", "hex");

async function read(op: Op, layer: LayerBlob, onChunk: (chunk: Buffer) => void): Promise<void> {
  using open = openLayer(layer);
  await readLayer(op, open, onChunk);
}

async function bytesOf(
  bytes: Uint8Array,
  compression: "none" | "gzip" | "zstd",
  diffId = digestOf(text),
): Promise<Buffer> {
  return await inTempDir(async (dir) => {
    const layer = await storeBlob(dir, bytes, { diffId, compression });
    const chunks: Buffer[] = [];
    await withOp("test", {}, (op) => read(op, layer, (chunk) => void chunks.push(chunk)));
    return Buffer.concat(chunks);
  });
}

describe("a layer's bytes", () => {
  test("come uncompressed and whole, whatever the compression", async () => {
    expect((await bytesOf(text, "none")).equals(text)).toBe(true);
    expect((await bytesOf(gzipSync(text), "gzip")).equals(text)).toBe(true);
    const hello = await bytesOf(zstdHello, "zstd", digestOf(Buffer.from("hello")));
    expect(hello.toString()).toBe("hello");
  });
  test("gzip members and padding zeros may follow each other", async () => {
    const half = text.length / 2;
    const members = [gzipSync(text.subarray(0, half)), gzipSync(text.subarray(half))];
    expect((await bytesOf(Buffer.concat(members), "gzip")).equals(text)).toBe(true);
    const padded = Buffer.concat([gzipSync(text), Buffer.alloc(100)]);
    expect((await bytesOf(padded, "gzip")).equals(text)).toBe(true);
  });
  test("an empty layer is one", async () => {
    const empty = Buffer.alloc(0);
    expect(await bytesOf(gzipSync(empty), "gzip", digestOf(empty))).toHaveLength(0);
    expect(await bytesOf(empty, "none", digestOf(empty))).toHaveLength(0);
  });
  test("that are not the promised ones are refused, both digests named", async () => {
    await expect(bytesOf(gzipSync(text), "gzip", `sha256:${"0".repeat(64)}`)).rejects.toMatchObject(
      {
        code: "image_digest_mismatch",
        details: { found: digestOf(text), wanted: `sha256:${"0".repeat(64)}` },
      },
    );
  });
  const gzip = gzipSync(text);
  const flipped = Buffer.from(gzip);
  flipped[gzip.length >> 1] = (flipped[gzip.length >> 1] ?? 0) ^ 0xff;
  test.each<[string, Buffer, "gzip" | "zstd"]>([
    ["cut gzip", gzip.subarray(0, gzip.length - 20), "gzip"],
    ["gzip cut in its header", gzip.subarray(0, 5), "gzip"],
    ["damaged gzip", flipped, "gzip"],
    ["rubbish behind gzip", Buffer.concat([gzip, Buffer.from("rubbish")]), "gzip"],
    ["no gzip at all", text.subarray(0, 1000), "gzip"],
    ["no zstd at all", text.subarray(0, 1000), "zstd"],
    ["cut zstd", zstdHello.subarray(0, 10), "zstd"],
  ])("%s is corrupt and named", async (_, bytes, compression) => {
    await expect(bytesOf(bytes, compression)).rejects.toMatchObject({
      code: "image_corrupt",
      message: expect.stringMatching(
        /^Layer "sha256:[0-9a-f]{64}" is no valid (gzip|zstd) stream: /,
      ),
    });
  });
  test("that are missing from the store are named", async () => {
    await inTempDir(async (dir) => {
      const blob = await storeBlob(dir, gzip, { diffId: digestOf(text), compression: "gzip" });
      const layer = { ...blob, path: `${blob.path}-gone` };
      await expect(withOp("test", {}, (op) => read(op, layer, () => {}))).rejects.toMatchObject({
        code: "store_corrupt",
        message: `Layer "${blob.digest}" cannot be read (ENOENT)`,
      });
    });
  });
  test("stop coming when the operation is aborted", async () => {
    await inTempDir(async (dir) => {
      const layer = await storeBlob(dir, gzip, { diffId: digestOf(text), compression: "gzip" });
      const stop = new AbortController();
      const reading = withOp("test", { signal: stop.signal }, (op) =>
        read(op, layer, () => stop.abort()),
      );
      await expect(reading).rejects.toMatchObject({ code: "cancelled" });
    });
  });
});

describe("layers read one after the other", () => {
  test("come in order, each verified, the next one opened ahead", async () => {
    await inTempDir(async (dir) => {
      const tars = ["lowest", "middle", "top"].map((name) => Buffer.from(name.repeat(100_000)));
      const layers = await Promise.all(tars.map((tar) => storeLayer(dir, tar)));
      const sizes: number[] = [];
      await withOp("test", {}, async (op) => {
        for (const open of readAhead(layers)) {
          let size = 0;
          await readLayer(op, open, (chunk) => {
            size += chunk.length;
          });
          sizes.push(size);
        }
      });
      expect(sizes).toEqual(tars.map((tar) => tar.length));
    });
  });
  test("fail when their turn comes, not while another is read", async () => {
    await inTempDir(async (dir) => {
      const good = await storeLayer(dir, text);
      const bad = await storeBlob(dir, Buffer.from("no gzip"), {
        diffId: digestOf(text),
        compression: "gzip",
      });
      const started: string[] = [];
      const reading = withOp("test", {}, async (op) => {
        for (const open of readAhead([good, bad, good])) {
          started.push(open.layer.digest);
          await op.sleep(20);
          await readLayer(op, open, () => {});
        }
      });
      await expect(reading).rejects.toMatchObject({
        code: "image_corrupt",
        details: { layer: bad.digest },
      });
      expect(started).toEqual([good.digest, bad.digest]);
    });
  });
  test("are closed when they are left early", async () => {
    await inTempDir(async (dir) => {
      // More than may wait, so that the files are still open when the loop is left.
      const tars = [24, 25].map((mebibytes) => Buffer.alloc(mebibytes * 1024 * 1024));
      const blobs = await Promise.all(tars.map((tar) => storeLayer(dir, tar, "none")));
      for (const open of readAhead(blobs)) {
        await open.decoder.next();
        expect(await openFilesBelow(dir)).toHaveLength(2);
        break;
      }
      await expect.poll(() => openFilesBelow(dir)).toEqual([]);
    });
  });
});

/** What this process has open below a directory. */
async function openFilesBelow(dir: string): Promise<string[]> {
  const fds = await readdir("/proc/self/fd");
  const targets = await Promise.all(
    fds.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => "")),
  );
  return targets.filter((target) => target.startsWith(dir));
}
