import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { elfSection, hasPvhEntry, isElf64 } from "../../../../src/kernel/formats/elf.ts";
import { makeElf, pvhNote } from "../synthetic-kernel.ts";

describe("ELF reading", () => {
  it("finds a section by its name and nothing else", () => {
    const elf = makeElf({
      sections: { ".text": Buffer.from("code"), ".modinfo": Buffer.from("x=1") },
    });
    expect(Buffer.from(elfSection(elf, ".modinfo") ?? "").toString()).toBe("x=1");
    expect(elfSection(elf, ".modinf")).toBeNull();
  });

  it("knows a kernel with a PVH entry from one without", () => {
    expect(hasPvhEntry(makeElf({ note: pvhNote() }))).toBe(true);
    const other = pvhNote();
    other.writeUInt32LE(6, 8);
    expect(hasPvhEntry(makeElf({ note: other }))).toBe(false);
    expect(hasPvhEntry(makeElf({ note: Buffer.concat([other, pvhNote()]) }))).toBe(true);
  });

  it("answers for any damaged or cut file without failing", () => {
    const elf = makeElf({ note: pvhNote(), sections: { ".modinfo": Buffer.from("name=a\0") } });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(elf.length - 1), fc.integer({ min: 0, max: 255 })), {
          maxLength: 8,
        }),
        fc.nat(elf.length),
        (changes, length) => {
          const damaged = Buffer.from(elf);
          for (const [at, byte] of changes) damaged[at] = byte;
          const cut = damaged.subarray(0, length);
          isElf64(cut);
          hasPvhEntry(cut);
          elfSection(cut, ".modinfo");
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
