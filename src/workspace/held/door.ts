/*
 * What programs call of this room. Each part is loaded by its first call: a run whose workspace ends with it does not
 * wait for the code.
 */

import type { LifecycleEvent } from "./events.ts";

/** Makes a workspace of a plan, and starts nothing. */
export const createWorkspace: typeof import("./create.ts").createWorkspace = async (...args) => {
  const held = await import("./create.ts");
  return await held.createWorkspace(...args);
};

/** Starts a workspace in a process of its own, which outlives this one. */
export const startWorkspace: typeof import("./start.ts").startWorkspace = async (...args) => {
  const held = await import("./start.ts");
  return await held.startWorkspace(...args);
};

/** Makes a workspace of a saved machine of another one, and starts it there. */
export const startFromSnapshot: typeof import("./start.ts").startFromSnapshot = async (...args) => {
  const held = await import("./start.ts");
  return await held.startFromSnapshot(...args);
};

/** A running workspace that another process holds. */
export const attachWorkspace: typeof import("./attach.ts").attachWorkspace = async (...args) => {
  const held = await import("./attach.ts");
  return await held.attachWorkspace(...args);
};

/** Makes a workspace of a live machine of this process, as it is now. */
export const keepAsWorkspace: typeof import("./keep.ts").keepAsWorkspace = async (...args) => {
  const held = await import("./keep.ts");
  await held.keepAsWorkspace(...args);
};

/** Starts a machine of this process's own from a saved one of a workspace. */
export const startSaved: typeof import("./snapshots.ts").startSaved = async (...args) => {
  const held = await import("./snapshots.ts");
  return await held.startSaved(...args);
};

/** Makes workspaces of a running one that go on where it is now. */
export const forkLiveWorkspace: typeof import("./fork.ts").forkLiveWorkspace = async (...args) => {
  const held = await import("./fork.ts");
  return await held.forkLiveWorkspace(...args);
};

/** Powers a workspace off in good order. */
export const haltWorkspace: typeof import("./end.ts").haltWorkspace = async (...args) => {
  const held = await import("./end.ts");
  return await held.haltWorkspace(...args);
};

/** Ends a workspace's machine at once. */
export const killWorkspace: typeof import("./end.ts").killWorkspace = async (...args) => {
  const held = await import("./end.ts");
  return await held.killWorkspace(...args);
};

/** Waits until a workspace has ended. */
export const waitWorkspace: typeof import("./end.ts").waitWorkspace = async (...args) => {
  const held = await import("./end.ts");
  return await held.waitWorkspace(...args);
};

/** Removes a workspace with its disk and its snapshots; false when there was none. */
export const deleteWorkspace: typeof import("./end.ts").deleteWorkspace = async (...args) => {
  const held = await import("./end.ts");
  return await held.deleteWorkspace(...args);
};

/** Copies a workspace that does not run, under another name. */
export const cloneWorkspace: typeof import("./clone.ts").cloneWorkspace = async (...args) => {
  const held = await import("./clone.ts");
  return await held.cloneWorkspace(...args);
};

/** Everything that is known of a workspace without asking its guest. */
export const inspectWorkspace: typeof import("./status.ts").inspectWorkspace = async (...args) => {
  const held = await import("./status.ts");
  return await held.inspectWorkspace(...args);
};

/** How the workload of a workspace's last start ended. */
export const resultOf: typeof import("./status.ts").resultOf = async (...args) => {
  const held = await import("./status.ts");
  return await held.resultOf(...args);
};

/** The saved machines of a workspace. */
export const listWorkspaceSnapshots: typeof import("./snapshots.ts").listWorkspaceSnapshots =
  async (...args) => {
    const held = await import("./snapshots.ts");
    return await held.listWorkspaceSnapshots(...args);
  };

/** Removes a saved machine of a workspace. */
export const deleteWorkspaceSnapshot: typeof import("./snapshots.ts").deleteWorkspaceSnapshot =
  async (...args) => {
    const held = await import("./snapshots.ts");
    await held.deleteWorkspaceSnapshot(...args);
  };

/** What a guest's console said so far. */
export const readConsole: typeof import("./console-log.ts").readConsole = async (...args) => {
  const held = await import("./console-log.ts");
  return await held.readConsole(...args);
};

/** A guest's console as it goes on. */
export async function followConsole(
  ...args: Parameters<typeof import("./console-log.ts").followConsole>
): Promise<AsyncGenerator<string>> {
  const held = await import("./console-log.ts");
  return held.followConsole(...args);
}

/** Manifest digests of the images that workspaces need. */
export const imagesInUse: typeof import("./images-in-use.ts").imagesInUse = async (...args) => {
  const held = await import("./images-in-use.ts");
  return await held.imagesInUse(...args);
};

/** What a running workspace's machine takes of this host. */
export const workspaceStats: typeof import("./stats.ts").workspaceStats = async (...args) => {
  const held = await import("./stats.ts");
  return await held.workspaceStats(...args);
};

/** Does some work with the guest of a workspace, whether it runs or not. */
export async function withGuestOf<T>(
  ...args: Parameters<typeof import("./at-rest.ts").withGuestOf<T>>
): Promise<T> {
  const held = await import("./at-rest.ts");
  return await held.withGuestOf<T>(...args);
}

/** A workspace's history. */
export const eventsOf: typeof import("./events.ts").eventsOf = async (...args) => {
  const held = await import("./events.ts");
  return await held.eventsOf(...args);
};

/** A workspace's history as it goes on. */
export async function followEvents(
  ...args: Parameters<typeof import("./events.ts").followEvents>
): Promise<AsyncGenerator<LifecycleEvent>> {
  const held = await import("./events.ts");
  return held.followEvents(...args);
}
