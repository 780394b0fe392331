import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { withOp } from "../../../../src/base/op.ts";
import { findQemu } from "../../../../supervisors/qemu/binary.ts";
import { parseTscKhz } from "../../../../supervisors/qemu/probe.ts";
import { majorOf, parseVersion } from "../../../../supervisors/qemu/version.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-qemu-"));
});
afterEach(async () => {
  delete process.env.MICROAGENT_QEMU;
  await rm(dir, { recursive: true, force: true });
});

async function fakeQemu(script: string): Promise<string> {
  const path = join(dir, "fake-qemu");
  await writeFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return path;
}

function find() {
  return withOp("t", {}, (op) => findQemu(op, "x86_64", join(dir, "cache")));
}

describe("findQemu", () => {
  test("takes the named program and asks it for its version once", async () => {
    const path = await fakeQemu(`echo x >> ${dir}/calls; echo "QEMU emulator version 8.2.1 (x)"`);
    process.env.MICROAGENT_QEMU = path;
    expect(await find()).toMatchObject({ path, version: "8.2.1" });
    await rm(join(dir, "calls"));
    expect(await find()).toMatchObject({ path, version: "8.2.1" });
    expect(await readdir(dir)).not.toContain("calls");
    // A replaced program is another one.
    await fakeQemu(`echo "QEMU emulator version 9.0.0"; # replaced`);
    expect(await find()).toMatchObject({ version: "9.0.0" });
  });

  test("an old one is refused with both versions", async () => {
    process.env.MICROAGENT_QEMU = await fakeQemu('echo "QEMU emulator version 6.2.0 (x)"');
    expect(await find()).toMatchObject({
      code: "vmm_too_old",
      reason: expect.stringMatching(/version 6\.2\.0, wanted 7\.0 or newer/),
      hint: expect.stringContaining("MICROAGENT_QEMU"),
    });
  });

  test("a missing one is refused with the way out", async () => {
    process.env.MICROAGENT_QEMU = join(dir, "nothing");
    expect(await find()).toMatchObject({ code: "vmm_not_found", hint: expect.any(String) });
    delete process.env.MICROAGENT_QEMU;
    const path = process.env.PATH;
    process.env.PATH = dir;
    try {
      expect(await find()).toMatchObject({
        code: "vmm_not_found",
        reason: 'Program "qemu-system-x86_64" is not installed',
        hint: expect.stringContaining("qemu-system-x86"),
      });
    } finally {
      process.env.PATH = path;
    }
  });

  test("a program that is no QEMU, or fails, is refused", async () => {
    process.env.MICROAGENT_QEMU = await fakeQemu("echo hello");
    expect(await find()).toMatchObject({ code: "vmm_not_found" });
    process.env.MICROAGENT_QEMU = await fakeQemu("exit 1");
    expect(await find()).toMatchObject({ code: "vmm_not_found" });
  });
});

describe("what is parsed", () => {
  test("versions", () => {
    expect(parseVersion("QEMU emulator version 7.2.22 (Debian 1:7.2)\nCopyright")).toBe("7.2.22");
    expect(parseVersion("QEMU emulator version 10.0 x")).toBe("10.0");
    expect(parseVersion("emulator 7.2")).toBeNull();
    expect([majorOf("10.0.13"), majorOf("7.2"), majorOf("x")]).toEqual([10, 7, 0]);
  });

  test("the counter's rate, only where it is constant", () => {
    const info = "model name\t: X\nflags\t\t: fpu constant_tsc nonstop_tsc\nbogomips\t: 5192.28\n";
    expect(parseTscKhz(info)).toBe(2_596_140);
    expect(parseTscKhz(info.replace("constant_tsc", "tsc"))).toBeNull();
    expect(parseTscKhz("")).toBeNull();
  });
});
