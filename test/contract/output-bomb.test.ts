import { symlinkSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Agent } from "../../src/agent/agent.ts";
import { TreeBudget, type TreeManifest, writeHostTree } from "../../src/agent/host-tree.ts";
import { withOp } from "../../src/base/op.ts";
import { configuration } from "../unit/agent/guests.ts";
import { startLinked } from "./child-link.ts";

const agentPath = join(
  import.meta.dirname,
  `../../guest/bin/microagent-agent-linux-${process.arch === "arm64" ? "arm64" : "amd64"}`,
);
const linkCount = 75_000;

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-bomb-"));
  await mkdir(join(dir, "bomb"));
  for (let at = 0; at < linkCount; at++) {
    symlinkSync("/etc/passwd", join(dir, "bomb", `${"n".repeat(240)}${at}`));
  }
});
afterAll(async () => await rm(dir, { recursive: true, force: true }));

test("links that are not recorded are counted without a look at them, as far as a run's entries go", async () => {
  const child = startLinked(agentPath, "--stdio");
  try {
    await withOp("test", { timeoutMs: 60_000 }, async (op) => {
      const agent = await Agent.connect(op, child.link);
      await agent.configure(op, configuration);
      const budget = new TreeBudget();
      const manifests: TreeManifest[] = [];
      for (const name of ["a", "b"]) {
        const { entries: maxEntries, bytes: maxBytes, nameBytes, records } = budget.left;
        const caps = { maxEntries, maxBytes, maxNameBytes: nameBytes, maxRecords: records };
        const items = await agent.get(op, join(dir, "bomb"), caps);
        manifests.push(await writeHostTree(op, items, join(dir, `counted-${name}`), budget));
      }
      agent.close();
      const [first, second] = manifests;
      expect(first).toMatchObject({ skippedCount: linkCount, failure: null });
      expect(first?.skipped.length).toBe(1_000);
      // The directories count as well.
      expect(second?.skippedCount).toBe(100_000 - linkCount - 2);
      expect(second?.skipped).toEqual([]);
      expect(second?.failure).toMatchObject({ code: "output_refused" });
      expect(budget.left).toMatchObject({ entries: 0, records: 0 });
    });
  } finally {
    await child.stop();
  }
});

test("more links below long names than a run may bring out, three times, end within one budget and leave a short record", async () => {
  const child = startLinked(agentPath, "--stdio");
  try {
    await withOp("test", { timeoutMs: 60_000 }, async (op) => {
      const agent = await Agent.connect(op, child.link);
      await agent.configure(op, configuration);
      const budget = new TreeBudget();
      const manifests: TreeManifest[] = [];
      for (const name of ["a", "b", "c"]) {
        const { entries, bytes, nameBytes } = budget.left;
        const caps = { maxEntries: entries, maxBytes: bytes, maxNameBytes: Math.max(1, nameBytes) };
        const items = await agent.get(op, join(dir, "bomb"), caps);
        manifests.push(await writeHostTree(op, items, join(dir, name), budget));
      }
      agent.close();
      const [first, second, third] = manifests;
      // 16 MiB of names; the rest stays in the guest, and the host did not have to break the transfer off.
      expect(first?.skippedCount).toBeGreaterThan(60_000);
      expect(first?.skipped.length).toBe(1_000);
      expect(first?.failure?.message).toContain("larger than the caps");
      for (const later of [second, third]) {
        expect(later?.skipped.length).toBe(0);
        expect(later?.failure).toMatchObject({ code: "output_refused" });
      }
      expect(JSON.stringify(manifests).length).toBeLessThan(1_000_000);
      expect(await readdir(join(dir, "a"))).toEqual([]);
    });
  } finally {
    await child.stop();
  }
});
