import { expect, test } from "vitest";
import { merge } from "../spec-texts.ts";

test("outputs, disks and bundles are appended", () => {
  const plan = merge(
    { output: ["b=/b"], disk: ["e=x:y.ext4:/e:ro"], bundle: ["g=g.tar:/g:rw"] },
    "outputs: [{name: a, path: /a/}]\ndisks: [{name: d, path: d.ext4, mountpoint: /d, mode: rw}]",
  );
  expect(plan.outputs).toEqual([
    { name: "a", path: "/a" },
    { name: "b", path: "/b" },
  ]);
  expect(plan.disks).toEqual([
    { kind: "disk", name: "d", path: "/base/d.ext4", mountpoint: "/d", mode: "rw" },
    { kind: "disk", name: "e", path: "/cwd/x:y.ext4", mountpoint: "/e", mode: "ro" },
    { kind: "bundle", name: "g", path: "/cwd/g.tar", mountpoint: "/g", mode: "rw" },
  ]);
  expect(plan.provenance).toMatchObject({ outputs: "union", disks: "union", bundles: "flag" });
});

test("paths of the spec start at its directory, files carry their mode as a number", () => {
  const plan = merge(
    {},
    "image: oci-archive:./i.tar\nfiles: [{src: a, dst: /x/../b, mode: '0755'}, {src: /c, dst: /c}]",
  );
  expect(plan.image).toBe("oci-archive:/base/i.tar");
  expect(plan.files).toMatchObject([
    { src: "/base/a", dst: "/b", mode: 0o755 },
    { src: "/c", dst: "/c", mode: null },
  ]);
});
