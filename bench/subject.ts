/** What the benchmarks measure: the engine's door, and the parts that floors are made of. */

export { readHostTree, writeHostTree } from "../src/agent/host-tree.ts";
export { makeEmptyExt4 } from "../src/image/ext4/empty.ts";
export {
  boot,
  createEngine,
  ensureBaseImage,
  openStore,
  resolveImage,
  stateLayout,
  withOp,
} from "../src/index.ts";
export { ensureInitramfs } from "../src/kernel/initramfs/ensure.ts";
