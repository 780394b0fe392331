import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chainOf, diskIn } from "../../../../src/workspace/held/disk.ts";

function paths(...names: string[]): string[] {
  return chainOf(names).map(({ path }) => path);
}

describe("the disk that earlier machines left", () => {
  test("is nothing where there is none", () => {
    expect(paths("serial.log", "network.json", "scratch.ext4.tmp")).toEqual([]);
  });

  test("is one file as long as nothing was saved", () => {
    expect(chainOf(["serial.log", "scratch.ext4"])).toEqual([
      { path: "scratch.ext4", format: "raw" },
    ]);
  });

  test("goes on in a file for each save, and in those of later machines", () => {
    const names = ["scratch.ext4.2.1", "scratch.ext4.1", "scratch.ext4", "scratch.ext4.2"];
    expect(chainOf(names)).toEqual([
      { path: "scratch.ext4", format: "raw" },
      { path: "scratch.ext4.1", format: "qcow2" },
      { path: "scratch.ext4.2", format: "qcow2" },
      { path: "scratch.ext4.2.1", format: "qcow2" },
    ]);
  });

  test("begins with what a snapshot gave, in its order", () => {
    const given = Array.from(
      { length: 11 },
      (_, index) => `scratch.${index}.${index ? "qcow2" : "raw"}`,
    );
    const names = ["scratch.qcow2.1", "scratch.qcow2", ...given];
    expect(paths(...names)).toEqual([...given, "scratch.qcow2", "scratch.qcow2.1"]);
  });

  test("never begins in the files that a snapshot gave: they are the snapshot's too", async () => {
    const dir = await mkdtemp(join(tmpdir(), "disk-"));
    try {
      for (const name of ["scratch.0.raw", "scratch.1.qcow2"]) {
        await writeFile(join(dir, name), "");
      }
      const given = [
        { path: join(dir, "scratch.0.raw"), format: "raw" },
        { path: join(dir, "scratch.1.qcow2"), format: "qcow2" },
      ];
      const top = join(dir, "scratch.qcow2");
      const fresh = await diskIn(dir, "durable");
      expect(fresh).toMatchObject({ path: top, layers: given });
      expect(fresh?.continues).toBeUndefined();
      await writeFile(top, "");
      expect(await diskIn(dir, "durable")).toMatchObject({
        path: top,
        layers: given,
        continues: true,
      });
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });

  test("is the same chain in whatever order a directory lists it, each file once", () => {
    const steps = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 });
    fc.assert(
      fc.property(steps, fc.func(fc.integer()), (saves, order) => {
        const chain = ["scratch.ext4"];
        for (const count of saves) {
          const below = chain.at(-1) ?? "";
          for (let save = 1; save <= count; save++) chain.push(`${below}.${save}`);
        }
        const shuffled = [...chain, "serial.log"].sort((a, b) => order(a) - order(b));
        expect(paths(...shuffled)).toEqual(chain);
      }),
    );
  });
});
