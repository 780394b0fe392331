import { describe, expect, it } from "vitest";
import { parsePackage } from "../../../../src/kernel/source/apt.ts";

const digest = "a".repeat(64);
const stanza = `Package: linux-image-6.1.0-1-cloud-amd64
Version: 6.1.9-1
Depends: kmod, linux-base (>= 4.3~), initramfs-tools (>= 0.120+deb8u2) | linux-initramfs-tool
Description: Linux for clouds
 Package: not-a-field
SHA256: ${digest}

Package: linux-image-6.1.0-1-cloud-amd64
Version: 6.1.8-1
SHA256: ${"b".repeat(64)}
`;

describe("parsePackage", () => {
  it("reads the first stanza: version, digest, names of all dependencies", () => {
    expect(parsePackage(stanza, "linux-image-6.1.0-1-cloud-amd64")).toEqual({
      name: "linux-image-6.1.0-1-cloud-amd64",
      version: "6.1.9-1",
      sha256: digest,
      depends: ["kmod", "linux-base", "initramfs-tools", "linux-initramfs-tool"],
    });
  });

  it.each([
    ["another package", stanza, "linux-image"],
    ["nothing", "", "linux-image"],
    ["no digest", "Package: a\nVersion: 1\n", "a"],
    ["a digest that is none", "Package: a\nVersion: 1\nSHA256: abc\n", "a"],
  ])("gives null for %s", (_, text, name) => expect(parsePackage(text, name)).toBeNull());
});
