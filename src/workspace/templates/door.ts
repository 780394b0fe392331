/*
 * What programs call of this room. Each part is loaded by its first call: a run without a template does not wait for
 * the code.
 */

/** The template of a request, built under a lock when there is none. */
export const ensureTemplate: typeof import("./ensure.ts").ensureTemplate = async (...args) => {
  const templates = await import("./ensure.ts");
  return await templates.ensureTemplate(...args);
};

/** A template that another process has built, by its key. */
export const openTemplate: typeof import("./open.ts").openTemplate = async (...args) => {
  const templates = await import("./open.ts");
  return await templates.openTemplate(...args);
};

/** Starts a machine of its own from a template. */
export const cloneTemplate: typeof import("./clone.ts").cloneTemplate = async (...args) => {
  const templates = await import("./clone.ts");
  return await templates.cloneTemplate(...args);
};

/** Saves a live workspace under a name; it goes on. */
export const snapshotWorkspace: typeof import("./snapshots.ts").snapshotWorkspace = async (
  ...args
) => {
  const templates = await import("./snapshots.ts");
  return await templates.snapshotWorkspace(...args);
};

/** Starts a machine from a snapshot. */
export const startSnapshot: typeof import("./snapshots.ts").startSnapshot = async (...args) => {
  const templates = await import("./snapshots.ts");
  return await templates.startSnapshot(...args);
};

/** Starts copies of a live workspace; it goes on. */
export const forkWorkspace: typeof import("./snapshots.ts").forkWorkspace = async (...args) => {
  const templates = await import("./snapshots.ts");
  return await templates.forkWorkspace(...args);
};

/** Snapshots by their last use, the latest first. */
export const listSnapshots: typeof import("./snapshots.ts").listSnapshots = async (...args) => {
  const templates = await import("./snapshots.ts");
  return await templates.listSnapshots(...args);
};

/** Removes a snapshot; machines that were started from it go on. */
export const deleteSnapshot: typeof import("./snapshots.ts").deleteSnapshot = async (...args) => {
  const templates = await import("./snapshots.ts");
  return await templates.deleteSnapshot(...args);
};

/** Templates by their last use, the latest first. */
export const listTemplates: typeof import("./upkeep.ts").listTemplates = async (...args) => {
  const templates = await import("./upkeep.ts");
  return await templates.listTemplates(...args);
};

/** Removes the template whose key begins with a prefix. */
export const removeTemplate: typeof import("./upkeep.ts").removeTemplate = async (...args) => {
  const templates = await import("./upkeep.ts");
  return await templates.removeTemplate(...args);
};

/** Removes the least recently used templates beyond a size. */
export const pruneTemplates: typeof import("./upkeep.ts").pruneTemplates = async (...args) => {
  const templates = await import("./upkeep.ts");
  return await templates.pruneTemplates(...args);
};

/** Builds the template that a dispatch of a plan would start from, or finds it. */
export const buildPlanTemplate: typeof import("./build-plan.ts").buildPlanTemplate = async (
  ...args
) => {
  const templates = await import("./build-plan.ts");
  return await templates.buildPlanTemplate(...args);
};
