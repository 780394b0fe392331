import { describe, expect, test } from "vitest";
import { parseManifest } from "../../../src/image/manifest.ts";
import { choosePlatform } from "../../../src/image/platform.ts";

const hex = (n: number) => `sha256:${String(n).padStart(64, "0")}`;
const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const manifestType = "application/vnd.oci.image.manifest.v1+json";

function index(...platforms: (string | null)[]) {
  const manifests = platforms.map((text, n) => {
    const [os, architecture, variant] = text?.split("/") ?? [];
    const platform = text === null ? {} : { platform: { os, architecture, variant } };
    return { mediaType: manifestType, digest: hex(n), size: 1, ...platform };
  });
  const parsed = parseManifest(bytes({ schemaVersion: 2, manifests }), null, "Image");
  if (parsed.kind !== "index") throw new TypeError("not an index");
  return parsed;
}

describe("of an index", () => {
  test.each([
    ["x86_64", ["linux/arm64", "linux/amd64"], 1],
    ["x86_64", ["windows/amd64", "linux/amd64"], 1],
    ["x86_64", ["linux/amd64/v3", "linux/amd64/v1"], 1],
    ["aarch64", ["linux/amd64", "linux/arm64/v8"], 1],
    ["aarch64", ["linux/arm/v7", "linux/arm64"], 1],
    ["x86_64", [null], 0],
    ["x86_64", ["unknown/unknown", "linux/amd64"], 1],
  ] as const)("%s takes from %j number %d", (arch, platforms, wanted) => {
    expect(choosePlatform(index(...platforms), arch, "Image").digest).toBe(hex(wanted));
  });

  test.each([
    ["aarch64", ["linux/amd64"]],
    ["x86_64", ["linux/amd64/v4"]],
    ["x86_64", ["windows/amd64"]],
    ["x86_64", []],
    ["x86_64", [null, null]],
  ] as const)("%s takes nothing from %j", (arch, platforms) => {
    expect(() => choosePlatform(index(...platforms), arch, "Image")).toThrowError(
      expect.objectContaining({ code: "image_unsupported" }),
    );
  });
});
