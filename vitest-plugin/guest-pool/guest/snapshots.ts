import type { VitestSnapshotEnvironment } from "vitest/runtime";
import type { HostCalls } from "./host-calls.ts";

/** Snapshots are files of the host, beside the tests that they belong to. */
export function snapshotEnvironment(
  Base: typeof VitestSnapshotEnvironment,
  calls: HostCalls,
): VitestSnapshotEnvironment {
  class HostSnapshots extends Base {
    override async readSnapshotFile(path: string): Promise<string | null> {
      return (await calls.ask("readSnapshot", path)) as string | null;
    }
    override async saveSnapshotFile(path: string, text: string): Promise<void> {
      await calls.ask("saveSnapshot", path, text);
    }
    override async removeSnapshotFile(path: string): Promise<void> {
      await calls.ask("removeSnapshot", path);
    }
    // The host makes it when it saves.
    override async prepareDirectory(): Promise<void> {}
  }
  return new HostSnapshots({});
}
