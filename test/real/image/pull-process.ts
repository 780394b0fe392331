import { readFile } from "node:fs/promises";
import { asMicroagentError } from "../../../src/base/errors.ts";
import { withOp } from "../../../src/base/op.ts";
import { ensureBaseImage } from "../../../src/image/base-image.ts";
import { resolveImage } from "../../../src/image/resolve.ts";
import { openStore } from "../../../src/image/store.ts";

/*
 * One pull and base build in a process of its own: `pull-process.js STATE_DIR REFERENCE`. Notes go to stderr. The peak is
 * of this program alone: what a process is told of its own usage includes what its parent had when it started it.
 */

const [dir = "", reference = ""] = process.argv.slice(2);
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
  const peak = /^VmHWM:\s*(\d+) kB$/m.exec(await readFile("/proc/self/status", "latin1"))?.[1];
  const report = { digest: image.digest, base: base.path, peakBytes: Number(peak) * 1024 };
  process.stdout.write(`${JSON.stringify(report)}\n`);
}).catch(report);
