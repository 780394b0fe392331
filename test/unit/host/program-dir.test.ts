import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { mountOptions } from "../../../src/host/mount-options.ts";
import { programDir, requireProgramDir } from "../../../src/host/program-dir.ts";
import { openFakeHost } from "../../fixtures/control-groups.ts";
import { mountNamespace } from "../../support/mounts.ts";
import { leaveOut } from "../../support/refused.ts";

const what = { what: "an image build", devices: false };
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-program-dir-"));
  await mkdir(join(dir, "inner dir"));
});
afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

function line(point: string, options: string, superOptions = "rw"): string {
  return `80 79 0:29 / ${point.replaceAll(" ", "\\040")} ${options} shared:1 - tmpfs tmpfs ${superOptions}\n`;
}

test("the mount that a directory lies on says what is forbidden there", async () => {
  await using host = await openFakeHost({
    "proc/self/mountinfo": [
      line("/", "rw,relatime"),
      line(dir, "rw,noexec"),
      line(join(dir, "inner dir"), "rw,noexec"),
      line(join(dir, "inner dir"), "rw,nodev", "rw,sync"),
      line(`${dir}/inn`, "ro"),
    ].join(""),
  });
  await symlink(join(dir, "inner dir"), join(dir, "link"));
  expect(mountOptions(dir, host.root)).toEqual(new Set(["rw", "noexec"]));
  expect(mountOptions(join(dir, "link"), host.root)).toEqual(new Set(["rw", "nodev", "sync"]));
  expect(mountOptions("/usr", host.root)).toEqual(new Set(["rw", "relatime"]));
  expect(mountOptions(join(dir, "absent"), host.root)).toEqual(new Set());
});

test("a directory that forbids programs is passed over for one that does not", async () => {
  const inner = join(dir, "inner dir");
  await using host = await openFakeHost({
    "proc/self/mountinfo": line("/", "rw") + line(dir, "rw,noexec") + line(inner, "rw,nosuid"),
  });
  expect(await programDir({ ...what, temporary: [dir, inner], root: host.root })).toBe(inner);
});

test("a directory that was chosen for something else is refused where programs must run", async () => {
  await using host = await openFakeHost({
    "proc/self/mountinfo": line("/", "rw") + line(dir, "rw,noexec"),
  });
  const needs = { what: "a kernel build", hint: "Choose another", root: host.root };
  await expect(requireProgramDir(dir, needs)).rejects.toMatchObject({
    code: "host_unsupported",
    message: `"${dir}" forbids programs (mounted noexec): a kernel build runs programs`,
    hint: "Choose another",
  });
  await requireProgramDir(tmpdir(), needs);
});

test("without any, each directory is named with its fault and the way out", async () => {
  const inner = join(dir, "inner dir");
  await using host = await openFakeHost({
    "proc/self/mountinfo": line("/", "rw") + line(dir, "rw,nodev") + line(inner, "rw,noexec"),
  });
  const temporary = [inner, join(dir, "absent"), dir];
  const needs = { ...what, temporary, root: host.root };
  await expect(programDir({ ...needs, devices: true })).rejects.toMatchObject({
    code: "host_unsupported",
    message: `No directory here is fit for an image build: "${inner}" forbids programs (mounted noexec), "${join(dir, "absent")}" does not exist, "${dir}" forbids device files (mounted nodev)`,
    hint: expect.stringContaining("TMPDIR=/path"),
  });
  expect(await programDir(needs)).toBe(dir);
});

test("a real noexec mount is seen", async (context) => {
  const namespace = await mountNamespace();
  if (namespace.words === null) return leaveOut(context, "A mount", namespace.answer);
  const [program = "", ...words] = namespace.words;
  const inner = join(dir, "inner dir");
  const script = 'mount -t tmpfs -o noexec tmpfs "$0" && cat /proc/self/mountinfo';
  const { stdout } = await promisify(execFile)(program, [...words, "sh", "-ec", script, inner]);
  await using host = await openFakeHost({ "proc/self/mountinfo": stdout });
  expect([...mountOptions(inner, host.root)]).toContain("noexec");
  expect([...mountOptions(dir, host.root)]).not.toContain("noexec");
});
