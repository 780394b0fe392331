import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tempStore } from "../../fixtures/image-store.ts";
import { makeOciLayout } from "../../fixtures/oci-layout.ts";
import { tarLayer } from "../../fixtures/tar-layer.ts";
import { type Compiled, compileForNode } from "../../support/compiled.ts";

const program = "test/real/image/pull-process.ts";
const mebibyte = 1024 * 1024;
const peakMax = 200 * mebibyte;

let dir: string;
let compiled: Compiled;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-memory-"));
  compiled = await compileForNode([program]);
});
afterAll(async () => {
  await compiled?.[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

/** Peak memory of a process that stores an image of gzip layers and builds its base image. */
async function peakOf(layerMib: number, layerCount: number): Promise<number> {
  await using temp = await tempStore();
  // Repeats itself at a distance that gzip sees, so that decompressing it is faster than any disk.
  const content = Buffer.alloc(layerMib * mebibyte, randomBytes(20_000));
  const layers = Array.from({ length: layerCount }, (_, i) => ({
    tar: tarLayer([{ path: `file-${i}`, content }]),
  }));
  const layout = await makeOciLayout(join(dir, `${layerMib}x${layerCount}`), { layers });
  const args = [compiled.path(program), temp.dir, layout.reference, "peak"];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const { base, peakBytes } = JSON.parse(stdout);
  expect((await stat(base)).size).toBeGreaterThan(layerMib * layerCount * mebibyte);
  return peakBytes;
}

test("building a base image takes the same memory whatever the image's size", async () => {
  const small = await peakOf(64, 2);
  const large = await peakOf(320, 3);
  expect(small).toBeLessThan(peakMax);
  expect(large).toBeLessThan(peakMax);
}, 120_000);
