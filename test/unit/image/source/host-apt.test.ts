import { expect, test } from "vitest";
import { mirrorLines } from "../../../../src/image/source/host-apt.ts";

const debian = { suite: "bookworm", components: ["main", "contrib"] };

test("the host's sources of a suite become one-line entries", () => {
  const targets = [
    "http://mirror.example/debian/|bookworm|main",
    "http://mirror.example/debian/|bookworm|contrib",
    "http://mirror.example/debian/|bookworm-updates|main",
    "https://mirror.example/security/|bookworm-security|main",
    "http://mirror.example/debian/|trixie|main",
    "https://other.example/apt/|bookworm|stable",
    "file:/srv/mirror|bookworm|main",
    "http://odd.example/a b|bookworm|main",
    "",
  ].join("\n");
  expect(mirrorLines(targets, debian)).toEqual([
    "deb http://mirror.example/debian/ bookworm main contrib",
    "deb http://mirror.example/debian/ bookworm-updates main",
    "deb https://mirror.example/security/ bookworm-security main",
  ]);
});

test("a host without the suite has nothing to offer", () => {
  expect(mirrorLines("http://mirror.example/debian/|trixie|main", debian)).toEqual([]);
  expect(mirrorLines("http://mirror.example/s/|bookworm-security|main", debian)).toEqual([]);
});
