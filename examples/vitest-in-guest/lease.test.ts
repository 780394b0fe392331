import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { expect, test } from "vitest";
import { grantLease, hasLease } from "./src/lease.ts";

test("a lease is over in 2040, by the clock of the whole machine", () => {
  grantLease("/run/lease", 3_600);
  expect(hasLease("/run/lease")).toBe(true);
  execFileSync("date", ["--set", "2040-01-01"]);
  expect(hasLease("/run/lease")).toBe(false);
});

test("the machine may be changed: the next file gets another one", () => {
  writeFileSync("/proc/sys/kernel/hostname", "mine");
  expect(hostname()).toBe("mine");
  expect({ user: process.getuid?.(), node: process.release.name }).toMatchInlineSnapshot(`
    {
      "node": "node",
      "user": 0,
    }
  `);
});
