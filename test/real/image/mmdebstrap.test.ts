import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { tempStore } from "../../fixtures/image-store.ts";

const run = promisify(execFile);
const reference = "mmdebstrap:bookworm?include=busybox&variant=essential";

test("packages become an image of one layer, the same bytes when built again", async () => {
  await using temp = await tempStore();
  const options = { arch: process.arch === "x64" ? "x86_64" : "aarch64" } as const;
  const first = await temp.resolve(reference, options);
  expect(first).toMatchObject({
    reference: "mmdebstrap:bookworm?include=busybox&variant=essential",
    origin: "mmdebstrap",
    config: { cmd: ["/bin/sh"] },
  });
  expect(first.layers).toHaveLength(1);
  const { stdout } = await run("tar", ["tf", first.layers[0]?.path ?? ""], {
    maxBuffer: 64 * 1024 * 1024,
  });
  expect(stdout).toContain("./usr/bin/busybox\n");
  expect(stdout).not.toContain("00host");

  expect((await temp.resolve(reference, options)).origin).toBe("cache");
  const again = await temp.resolve(reference, { ...options, pull: "always" });
  expect(again.digest).toBe(first.digest);
});

test("an unknown package is named", async () => {
  await using temp = await tempStore();
  await expect(temp.resolve("mmdebstrap:bookworm?include=no-such-package-x")).rejects.toMatchObject(
    { code: "image_not_found", message: expect.stringContaining('"no-such-package-x"') },
  );
});
