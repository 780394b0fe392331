import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isMicroagentError } from "../../../../src/base/errors.ts";
import { unpackLz4Legacy } from "../../../../src/kernel/formats/lz4-legacy.ts";
import { packLz4Legacy } from "./lz4-blocks.ts";

const runs = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 1, max: 700 })), {
    maxLength: 40,
  })
  .map((pairs) => Buffer.concat(pairs.map(([byte, length]) => Buffer.alloc(length, byte))));

describe("unpackLz4Legacy", () => {
  it("unpacks what the reference tool packed", () => {
    // Made with: printf 'abcabcabcabcabcabcabcabc12345\n' | lz4 -l
    const packed = Buffer.from("02214c180e0000003f6162630300026031323334350a", "hex");
    const unpacked = unpackLz4Legacy(packed, 1_000);
    expect(Buffer.from(unpacked).toString()).toBe("abcabcabcabcabcabcabcabc12345\n");
  });

  it("gives back any data, over block boundaries too", () => {
    fc.assert(
      fc.property(runs, fc.integer({ min: 64, max: 5000 }), (data, blockBytes) => {
        const unpacked = unpackLz4Legacy(packLz4Legacy(data, blockBytes), 1_000_000);
        expect(Buffer.from(unpacked).equals(data)).toBe(true);
      }),
    );
  });

  it("ends at the size field the kernel's build appends", () => {
    const data = Buffer.from("a kernel, a kernel");
    const size = Buffer.alloc(4);
    size.writeUInt32LE(data.length);
    const unpacked = unpackLz4Legacy(Buffer.concat([packLz4Legacy(data), size]), 1_000);
    expect(Buffer.from(unpacked).toString()).toBe("a kernel, a kernel");
  });

  it("refuses more output than it may make", () => {
    const packed = packLz4Legacy(Buffer.alloc(100_000, 7));
    expect(() => unpackLz4Legacy(packed, 99_999)).toThrow("more than 99999 bytes");
  });

  it("fails on damaged data with an error of its own, and with no other", () => {
    fc.assert(
      fc.property(runs, fc.nat(), fc.integer({ min: 0, max: 255 }), (data, where, byte) => {
        const packed = packLz4Legacy(data);
        packed[4 + (where % (packed.length - 4))] = byte;
        try {
          expect(unpackLz4Legacy(packed, 10_000_000).length).toBeLessThanOrEqual(10_000_000);
        } catch (error) {
          expect(isMicroagentError(error) && error.code).toBe("store_corrupt");
        }
      }),
    );
  });
});
