import type { CleanupStack } from "../base/cleanup.ts";
import type { Op } from "../base/op.ts";
import type { BaseImage } from "../image/base-image.ts";
import type { StoredImage } from "../image/stored-image.ts";
import type { InstalledKernel } from "../kernel/installed-kernel.ts";
import type { BootRequest } from "./boot.ts";
import type { Engine, SupervisorChoice } from "./engine.ts";

/** What a machine is made of and run by; the same for every machine of a request. */
export interface Prepared {
  readonly image: StoredImage;
  readonly base: BaseImage;
  readonly kernel: InstalledKernel;
  readonly initramfs: string;
  readonly choice: SupervisorChoice;
}

/** The image, protected from pruning until `undo` runs, and the disk made of it. */
export async function prepareImage(
  op: Op,
  engine: Engine,
  request: BootRequest,
  undo: CleanupStack,
): Promise<Pick<Prepared, "image" | "base">> {
  const image = await op.step("image", (step) => engine.images.resolve(step, request), {
    timeoutMs: request.bounds.pullMs,
  });
  const pin = await engine.images.pin(op, image);
  undo.defer(async () => await pin[Symbol.asyncDispose]());
  const base = await op.step("base", (step) => engine.images.base(step, image));
  return { image, base };
}

/** The kernel with its initramfs, and the backend that can run them here. */
export async function prepareHost(
  op: Op,
  engine: Engine,
  request: BootRequest,
): Promise<Pick<Prepared, "kernel" | "initramfs" | "choice">> {
  const kernel = await op.step("kernel", (step) =>
    engine.kernels.resolve(step, request.kernel, request.arch),
  );
  const initramfs = await op.step("initramfs", (step) => engine.kernels.initramfs(step, kernel));
  const choice = await op.step("supervisor", (step) =>
    engine.supervisors.select(step, { accel: request.accel, kernel, initramfsPath: initramfs }),
  );
  return { kernel, initramfs, choice };
}

/** Both, side by side. */
export async function prepare(
  op: Op,
  engine: Engine,
  request: BootRequest,
  undo: CleanupStack,
): Promise<Prepared> {
  const [image, host] = await op.together([
    (side) => prepareImage(side, engine, request, undo),
    (side) => prepareHost(side, engine, request),
  ]);
  return { ...image, ...host };
}
