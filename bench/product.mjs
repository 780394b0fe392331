// The compiled product as the cases use it. Nothing here is measured.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "../scripts/steps.mjs";

/** The compiled command line, absolute. */
export const cli = join(root, "dist", "src", "cli", "main.js");

const load = (path) => import(pathToFileURL(join(root, "dist", path)).href);

const engineDoor = await load("src/index.js");
const { startOp, realClock } = await load("src/base/op.js");
const { ensureInitramfs } = await load("src/kernel/initramfs/ensure.js");
const { makeEmptyExt4 } = await load("src/image/ext4/empty.js");
const { readHostTree, writeHostTree } = await load("src/agent/host-tree.js");

export {
  engineDoor as product,
  ensureInitramfs,
  makeEmptyExt4,
  readHostTree,
  realClock,
  startOp,
  writeHostTree,
};

/** Runs `work` with an op of its own, without a bound. */
export async function withOp(name, work, onProgress = () => {}) {
  return await engineDoor.withOp(name, { onProgress }, work);
}
