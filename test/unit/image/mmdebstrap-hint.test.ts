import { expect, test } from "vitest";
import { mmdebstrapHint } from "../../../src/image/source/mmdebstrap-hint.ts";

test.each([
  ["E: install arch-test for foreign architecture support", /arch-test qemu-user-static/],
  [
    "E: The repository 'http://mirror.example/debian nosuch Release' does not have a Release file.",
    /VERSION_CODENAME/,
  ],
  ["E: Unable to locate package jqq", /apt-cache search/],
  ["E: unable to pick chroot mode automatically", /fakechroot fakeroot.*uidmap/],
  ["W: GPG error: NO_PUBKEY 0E98404D386FA1D9", /debian-archive-keyring/],
  ["E: apt-get update failed", /reach its package mirror/],
])("%s", (stderr, hint) => {
  expect(mmdebstrapHint(stderr)).toMatch(hint);
});
