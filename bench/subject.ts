/** What the benchmarks measure: the engine's door, and the parts that floors are made of. */

export { readHostTree, writeHostTree } from "../src/agent/host-tree.ts";
export { makeCertificate, pemOf } from "../src/egress/tls/certificate.ts";
export { makeEmptyExt4 } from "../src/image/ext4/empty.ts";
export {
  boot,
  cloneTemplate,
  createEngine,
  ensureBaseImage,
  ensureTemplate,
  openStore,
  openTemplatePool,
  resolveImage,
  stateLayout,
  withOp,
} from "../src/index.ts";
export { ensureInitramfs } from "../src/kernel/initramfs/ensure.ts";
export { defaultSupervisors } from "../src/registry.ts";
export { nothingAttached } from "../src/workspace/attachments.ts";
export { standTemplate } from "../src/workspace/templates/clone.ts";
export { makeOverlay } from "../supervisors/qemu/qcow2.ts";
