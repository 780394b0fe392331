import { readFile } from "node:fs/promises";
import { asMicroagentError } from "../../../src/base/errors.ts";
import { withOp } from "../../../src/base/op.ts";
import { ensureBaseImage } from "../../../src/image/base-image.ts";
import { resolveImage } from "../../../src/image/resolve.ts";
import { openStore } from "../../../src/image/store.ts";

/*
 * One pull and base build in a process of its own: `pull-process.js STATE_DIR REFERENCE [peak]`. Notes go to stderr. The
 * peak is of this program alone: what a process is told of its own usage includes what its parent had when it started it.
 */

const [dir = "", reference = "", wanted] = process.argv.slice(2);
const onProgress = (event: { kind: string; text?: string }) => {
  if (event.kind === "note") process.stderr.write(`${event.text}\n`);
};
const report = (error: unknown) => {
  const { code } = asMicroagentError(error);
  process.stderr.write(`${code}: ${String(error)}\n`);
  process.exitCode = 1;
};
await withOp("pull", { onProgress }, async (op) => {
  const store = openStore({ root: dir, images: `${dir}/images` });
  const image = await resolveImage(op, store, reference, {
    arch: "x86_64",
    pull: "missing",
    insecureRegistries: [],
  });
  const base = await ensureBaseImage(op, store, image);
  const found = { digest: image.digest, base: base.path };
  const told = wanted === "peak" ? { ...found, peakBytes: await peakBytes() } : found;
  process.stdout.write(`${JSON.stringify(told)}\n`);
}).catch(report);

async function peakBytes(): Promise<number> {
  const status = await readFile("/proc/self/status", "latin1");
  return Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1]) * 1024;
}
