import { withOp } from "../../src/base/op.ts";
import { stateLayout } from "../../src/host/state-layout.ts";
import { createEngine } from "../../src/registry.ts";
import type { KernelImage } from "../../src/supervisor/port.ts";

/** What a real machine is booted with: a kernel that is installed here, and the agent's initramfs. */
export interface BootKit {
  readonly kernel: KernelImage;
  readonly initramfsPath: string;
  /** Where the user's own runs keep their verdicts, so that a test does not probe again. */
  readonly cacheDir: string;
}

/** The kit for a kernel selector (default: the kernel a user would get); installs what is missing. */
export async function bootKit(selector?: string): Promise<BootKit> {
  const layout = stateLayout();
  const { kernels } = createEngine(layout);
  return await withOp("boot kit", { timeoutMs: 600_000 }, async (op) => {
    const kernel = await kernels.resolve(op, selector, undefined);
    const initramfsPath = await kernels.initramfs(op, kernel);
    return { kernel: kernel.image, initramfsPath, cacheDir: layout.cache };
  });
}
