import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Op, type Progress, withOp } from "../../../../src/base/op.ts";
import { type BuildPlace, compile, configure } from "../../../../src/kernel/build/compile.ts";

/*
 * The real `make` on a source tree of a few lines that has the kernel's targets: what the kernel's own
 * tree does with them is proved by the real build.
 */

let dir: string;
let place: BuildPlace;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-build-"));
  place = {
    source: join(dir, "source"),
    log: join(dir, "build.log"),
    keptLog: join(dir, "kept.log"),
  };
  await mkdir(join(place.source, "arch/x86/boot"), { recursive: true });
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function makefile(...rules: string[]): Promise<void> {
  await writeFile(join(place.source, "Makefile"), `${rules.join("\n")}\n`);
}

function run<T>(work: (op: Op) => Promise<T>, onProgress?: (event: Progress) => void): Promise<T> {
  return withOp("test", { onProgress }, work);
}

const fragment = (text: string) => ({ path: "the.fragment", text, sha256: "0".repeat(64) });
const configRules = [
  "tinyconfig:\n\techo 'CONFIG_BASE=y' > .config",
  // An option that depends on something absent vanishes, as in the kernel's own tool.
  "olddefconfig:\n\tsed -i '/CONFIG_NEEDS_MORE/d' .config",
];

describe("configure", () => {
  it("puts the fragment on top of the smallest configuration", async () => {
    await makefile(...configRules);
    await run((op) => configure(op, place, fragment("CONFIG_A=y\n")));
    expect(await readFile(join(place.source, ".config"), "utf8")).toBe(
      "CONFIG_BASE=y\nCONFIG_A=y\n",
    );
  });

  it("names every requested line that did not survive", async () => {
    await makefile(...configRules);
    const lines = fragment("CONFIG_A=y\nCONFIG_NEEDS_MORE=y\n# CONFIG_BASE is not set\n");
    await expect(run((op) => configure(op, place, lines))).rejects.toMatchObject({
      code: "kernel_build_failed",
      details: { lost: ["CONFIG_NEEDS_MORE=y", "# CONFIG_BASE is not set"] },
    });
  });
});

describe("compile", () => {
  const good = [
    "vmlinux:\n\t@echo '  CC      a.o'\n\t@echo '  LD      vmlinux'\n\tcp /bin/true vmlinux",
    "bzImage: vmlinux\n\tprintenv > environment\n\techo boot > arch/x86/boot/bzImage",
  ];

  it("gives both forms, built under a fixed identity", async () => {
    await makefile(...good);
    const counts: number[] = [];
    const built = await run(
      (op) => compile(op, place),
      (event) => event.kind === "amount" && counts.push(event.done),
    );
    expect((await stat(built.vmlinux)).size).toBeGreaterThan(0);
    expect(await readFile(built.bzImage, "utf8")).toBe("boot\n");
    expect(counts.length).toBeGreaterThan(0);
    const environment = await readFile(join(place.source, "environment"), "utf8");
    expect(environment).toContain("KBUILD_BUILD_HOST=microagent\n");
    expect(environment).toContain("KBUILD_BUILD_TIMESTAMP=Thu Jan  1 00:00:00 UTC 1970\n");
  });

  it("tells the first error and keeps the log", async () => {
    await makefile(
      "vmlinux:\n\t@echo 'mm/a.c:7:1: error: no such thing'\n\t@echo '  CC  b.o'\n\tfalse",
      "bzImage:\n\ttrue",
    );
    await expect(run((op) => compile(op, place))).rejects.toMatchObject({
      code: "kernel_build_failed",
      message: expect.stringContaining("mm/a.c:7:1: error: no such thing"),
      hint: expect.stringContaining(place.keptLog),
    });
    expect(await readFile(place.keptLog, "utf8")).toContain("CC  b.o");
  });

  it("says when the disk was full", async () => {
    await makefile(
      "vmlinux:\n\t@echo 'ld: final link failed: No space left on device'; false",
      "bzImage:",
    );
    await expect(run((op) => compile(op, place))).rejects.toMatchObject({ code: "no_space" });
  });

  it("ends with everything it started when it is cancelled", async () => {
    await makefile(`vmlinux:\n\techo $$$$ > pid; exec sleep 600`, "bzImage:");
    const abort = new AbortController();
    const running = withOp("test", { signal: abort.signal }, (op) => compile(op, place));
    const pidPath = join(place.source, "pid");
    const pid = await Promise.race([numberIn(pidPath), running.then(() => Number.NaN)]);
    abort.abort();
    await expect(running).rejects.toMatchObject({ code: "cancelled" });
    while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 10));
  });
});

/** Waits for a file with a number above 0. */
async function numberIn(path: string): Promise<number> {
  for (;;) {
    const number = Number(await readFile(path, "utf8").catch(() => ""));
    if (number > 0) return number;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
