import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeBusyboxImage } from "../../fixtures/busybox-image.ts";
import { startCli } from "../../fixtures/cli.ts";

let dir: string;
let image: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-interrupt-"));
  // Large enough that a build takes a while, and of bytes that nothing shortens.
  const content = Buffer.alloc(64 << 20, "0123456789abcdef");
  const files = Array.from({ length: 6 }, (_, at) => ({ path: `large${at}`, content }));
  image = (await makeBusyboxImage(join(dir, "image"), files)).reference;
});
afterAll(async () => await rm(dir, { recursive: true, force: true }));

test.each([
  ["SIGHUP", 129],
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("a rootfs that is being built leaves no file after %s", async (signal, code) => {
  const target = join(dir, signal);
  await mkdir(target);
  const words = ["rootfs", "build", "--allow-mutable", "--image", image];
  const env = { MICROAGENT_STATE_DIR: join(dir, `state-${signal}`) };
  const run = startCli([...words, "--out", join(target, "root.ext4")], { env });
  await expect.poll(() => readdir(target)).not.toEqual([]);
  run.child.kill(signal);
  expect(await run.code).toBe(code);
  expect(run.stderr()).toContain(`interrupted by ${signal}`);
  expect(await readdir(target)).toEqual([]);
});
