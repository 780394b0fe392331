import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Progress, withOp } from "../../../src/base/op.ts";
import type { AccelPreference, Probe } from "../../../src/supervisor/port.ts";
import { selectSupervisor } from "../../../src/supervisor/select.ts";
import { proveAccel } from "../../../supervisors/qemu/probe-boot.ts";
import { createQemuSupervisor } from "../../../supervisors/qemu/supervisor.ts";
import { type BootKit, bootKit } from "../../support/boot-kit.ts";
import { someHost } from "../../support/machine-request.ts";

let kit: BootKit;
let dir: string;

beforeAll(async () => {
  kit = await bootKit();
});
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-probe-test-"));
});
afterEach(async () => {
  delete process.env.MICROAGENT_QEMU;
  await rm(dir, { recursive: true, force: true });
});

/** Probes with a cache of its own; `boots` counts the proof boots that really ran. */
async function probe(accel: AccelPreference): Promise<{ probe: Probe; boots: number }> {
  const seen: Progress[] = [];
  const found = await withOp("probe", { onProgress: (event) => seen.push(event) }, (op) =>
    createQemuSupervisor().probe(op, { ...kit, accel, cacheDir: join(dir, "cache") }),
  );
  const boots = seen.filter(
    (event) => event.kind === "step-start" && event.path.endsWith("/guest answers"),
  );
  return { probe: found, boots: boots.length };
}

async function fakeQemu(script: string): Promise<string> {
  const path = join(dir, "fake-qemu");
  await writeFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return path;
}

describe("the acceleration", () => {
  test("is proved by booting once, and the choice is explained in every case", async () => {
    const [wanted, auto, emulated] = [await probe("kvm"), await probe("auto"), await probe("tcg")];
    expect(auto.boots + emulated.boots).toBe(0);
    if (!auto.probe.ok || !emulated.probe.ok) throw new Error("QEMU does not run here at all");
    expect(emulated.probe.host).toMatchObject({
      accel: "tcg",
      accelReason: "Emulation (TCG) was asked for",
    });
    if (wanted.probe.ok) {
      expect(auto.probe.host).toEqual(wanted.probe.host);
      expect(auto.probe.host.accelReason).toMatch(/^KVM works: the guest answered after \d+ ms$/);
    } else {
      const [refusal] = wanted.probe.refusals;
      expect(refusal).toMatchObject({ code: "accel_unavailable", supervisor: "qemu" });
      expect(auto.probe.host.accel).toBe("tcg");
      expect(auto.probe.host.accelReason).toBe(
        `${refusal?.reason}, so the machine is emulated (TCG)`,
      );
    }
  });

  test("that never answers costs the deadline once and is remembered with its reason", async () => {
    const vmmPath = await fakeQemu("exec sleep 600");
    const prove = () =>
      withOp("prove", {}, (op) =>
        proveAccel(
          op,
          { ...kit, cacheDir: join(dir, "cache") },
          someHost({ vmmPath, accel: "kvm" }),
          "fake",
          {},
        ),
      );
    const both = await Promise.all([prove(), prove()]);
    const text = "the guest did not answer within 5 s; microagent doctor --reprobe tries again";
    const verdict = { ok: false, text, untilMs: expect.any(Number) };
    expect(both).toEqual([verdict, verdict]);
    expect(await prove()).toEqual(verdict);
    expect(
      (await readdir(join(dir, "cache"))).filter((file) => file.startsWith("accel")),
    ).toHaveLength(1);
  });

  test("that kills QEMU is refused in QEMU's own words", async () => {
    const vmmPath = await fakeQemu(
      'echo "qemu-system-x86_64: failed to set MSR 0x1" >&2; kill -ABRT $$',
    );
    const verdict = await withOp("prove", {}, (op) =>
      proveAccel(
        op,
        { ...kit, cacheDir: join(dir, "cache") },
        someHost({ vmmPath, accel: "kvm" }),
        "fake",
        {},
      ),
    );
    expect(verdict).toEqual({
      ok: false,
      text: "QEMU ended right after its start: failed to set MSR 0x1",
    });
  });
});

describe("a host without a usable QEMU", () => {
  const select = () =>
    withOp("select", {}, (op) =>
      selectSupervisor(op, [createQemuSupervisor()], {
        ...kit,
        accel: "auto",
        cacheDir: join(dir, "cache"),
      }),
    );

  test("says that it is too old", async () => {
    process.env.MICROAGENT_QEMU = await fakeQemu('echo "QEMU emulator version 5.2.0 (Debian)"');
    await expect(select()).rejects.toMatchObject({
      code: "vmm_too_old",
      message: expect.stringContaining("has version 5.2.0, wanted 7.0 or newer"),
    });
  });

  test("says that it is missing", async () => {
    process.env.MICROAGENT_QEMU = join(dir, "no-qemu");
    await expect(select()).rejects.toMatchObject({ code: "vmm_not_found" });
  });
});
