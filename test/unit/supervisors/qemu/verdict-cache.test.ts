import { mkdtemp, readdir, rm, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  passingMs,
  readVerdict,
  verdictKey,
  verdictsMax,
  writeVerdict,
} from "../../../../supervisors/qemu/verdict-cache.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-verdict-"));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

test("a verdict without an end holds, one with an end holds until then", async () => {
  const now = 1_800_000_000_000;
  await writeVerdict(dir, "firm.json", { ok: true, text: "works" });
  expect(await readVerdict(dir, "firm.json", now + 1e12)).toEqual({ ok: true, text: "works" });
  const passing = { ok: false, text: "late", untilMs: now + passingMs };
  await writeVerdict(dir, "passing.json", passing);
  expect(await readVerdict(dir, "passing.json", now)).toEqual(passing);
  expect(await readVerdict(dir, "passing.json", now + passingMs)).toBeNull();
  // The clock was set back: an end this far away was never given.
  expect(await readVerdict(dir, "passing.json", now - 1)).toBeNull();
});

test("of one topic the newest verdicts are kept, and nothing else of the directory goes", async () => {
  const key = (index: number) => verdictKey("accel", [`${index}`]);
  const other = verdictKey("version", ["1"]);
  await writeVerdict(dir, other, { ok: true, text: "7.2" });
  await utimes(join(dir, other), 1, 1);
  for (let index = 0; index < verdictsMax + 3; index++) {
    await writeVerdict(dir, key(index), { ok: true, text: `${index}` });
    await utimes(join(dir, key(index)), 1000 + index, 1000 + index);
  }
  const kept = Array.from({ length: verdictsMax }, (_each, index) => key(index + 3));
  expect((await readdir(dir)).sort()).toEqual([other, ...kept].sort());
});
