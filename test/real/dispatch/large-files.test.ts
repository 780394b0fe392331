import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sha256 } from "../../fixtures/tree-listing.ts";
import { openWorkbench, type Workbench } from "../../fixtures/workbench.ts";

let bench: Workbench;
beforeAll(async () => {
  bench = await openWorkbench();
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

// Large files go past the guest's page cache, small ones and the ends of large ones through it.
test.each(["own", "distribution"])(
  "large files come through whole, both ways, with the %s kernel",
  async (kernel) => {
    const content = randomBytes(21 * 1024 * 1024 + 4321);
    await writeFile(join(bench.dir, "large.bin"), content);
    const spec = `
name: large-${kernel}
files:
  - { src: ./large.bin, dst: /var/tmp/large.bin }
outputs:
  - { name: same, path: /var/tmp/large.bin }
  - { name: grown, path: /var/tmp/grown.bin }
agent:
  entry: |
    cp /var/tmp/large.bin /var/tmp/grown.bin; echo more >> /var/tmp/grown.bin
    sha256sum < /var/tmp/large.bin
    sync; echo 3 > /proc/sys/vm/drop_caches
`;
    const outputDir = join(bench.dir, `out-${kernel}`);
    const result = await bench.run({ kernel, outputDir }, { spec });
    expect(result.stdout.text().slice(0, 64)).toBe(sha256(content));
    const same = await readFile(join(outputDir, "same", "large.bin"));
    expect(same.equals(content)).toBe(true);
    const grown = await readFile(join(outputDir, "grown", "grown.bin"));
    expect(grown.equals(Buffer.concat([content, Buffer.from("more\n")]))).toBe(true);
  },
);
