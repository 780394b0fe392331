import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { closeKvm, openKvm } from "../../../action/kvm-access.ts";
import { temporary } from "./temporary.ts";

const rulePath = "/etc/udev/rules.d/99-microagent-kvm.rules";
const path = process.env.PATH;
let held: Awaited<ReturnType<typeof temporary>>;
let device: string;

/** A device that does not open, as a directory does not, and programs that write down how they are called. */
beforeEach(async () => {
  held = await temporary();
  device = join(held.dir, "kvm");
  await mkdir(device);
  process.env.PATH = held.dir;
  await program("stat", "echo 660");
  await program("sudo", 'shift; case "$1" in tee) /bin/cat >> "$LOG";; esac; exec "$DIR/$1" "$@"');
  for (const name of ["true", "tee", "rm", "chmod", "udevadm"]) await program(name, ":");
});

afterEach(async () => {
  process.env.PATH = path;
  await held[Symbol.asyncDispose]();
});

async function program(name: string, body: string): Promise<void> {
  const log = `DIR='${held.dir}' LOG='${held.dir}/log'; printf '%s' '${name}' >> "$LOG"; printf ' %s' "$@" >> "$LOG"; echo >> "$LOG"`;
  await writeFile(join(held.dir, name), `#!/bin/sh\n${log}\n${body}\n`);
  await chmod(join(held.dir, name), 0o755);
}

async function calls(): Promise<string[]> {
  const lines = (await readFile(join(held.dir, "log"), "utf8")).trim().split("\n");
  return lines.filter((line) => /^(sudo|stat|KERNEL)/.test(line));
}

test("the documented sequence, after what is to be put back is remembered; the device decides", async () => {
  const remembered: string[] = [];
  const opened = `[ "$1" = settle ] || [ "$2" = settle ] && /bin/rmdir '${device}' && echo > '${device}'; :`;
  await program("udevadm", opened);
  const access = await openKvm((mode) => {
    remembered.push(mode);
  }, device);
  expect(access).toEqual({ kind: "fixed" });
  expect(remembered).toEqual(["660"]);
  expect(await calls()).toEqual([
    "sudo -n true",
    `stat -c %a ${device}`,
    `sudo -n tee ${rulePath}`,
    'KERNEL=="kvm", GROUP="kvm", MODE="0666", OPTIONS+="static_node=kvm"',
    "sudo -n udevadm control --reload-rules",
    "sudo -n udevadm trigger --name-match=kvm",
    "sudo -n udevadm settle --timeout=10",
  ]);
});

test("a rule that does not help is taken away, and the remedy is told", async () => {
  const access = await openKvm(() => {}, device);
  expect(access.kind).toBe("closed");
  expect(access).toHaveProperty("remedy", expect.stringContaining(rulePath));
  expect((await calls()).at(-1)).toBe(`sudo -n rm -f ${rulePath}`);
});

test("without leave, or with a sudo that asks, nothing is touched", async () => {
  expect((await openKvm(null, device)).kind).toBe("closed");
  await expect(calls()).rejects.toThrow("ENOENT");
  await program("sudo", "exit 1");
  const remembered: string[] = [];
  expect((await openKvm((mode) => void remembered.push(mode), device)).kind).toBe("closed");
  expect(remembered).toEqual([]);
  expect(await calls()).toEqual(["sudo -n true"]);
});

test("an open device and none at all are left alone", async () => {
  await writeFile(join(held.dir, "open"), "");
  expect(await openKvm(() => {}, join(held.dir, "open"))).toEqual({ kind: "open" });
  expect(await openKvm(() => {}, join(held.dir, "none"))).toEqual({ kind: "absent" });
  await expect(calls()).rejects.toThrow("ENOENT");
});

test("undoing takes the rule away and puts the mode back, and only a mode", async () => {
  await closeKvm("660", device);
  expect(await calls()).toEqual([
    `sudo -n rm -f ${rulePath}`,
    "sudo -n udevadm control --reload-rules",
    `sudo -n chmod 660 ${device}`,
  ]);
  await closeKvm("660 /etc/passwd", device);
  expect((await calls()).filter((line) => line.includes("chmod"))).toHaveLength(1);
});
