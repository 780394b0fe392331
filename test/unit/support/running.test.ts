import { spawn } from "node:child_process";
import { expect, test } from "vitest";
import { follow } from "../../support/running.ts";

const start = (script: string) => follow(spawn("sh", ["-c", script], { stdio: "pipe" }));

test("what it prints is seen on both streams, also when it has printed it already", async () => {
  const run = start("echo one; echo two >&2; read line");
  await run.printed(/one/);
  await run.printed(/two/);
  await run.printed(/one/);
  run.child.stdin?.end();
  expect([await run.code, run.stdout(), run.stderr()]).toEqual([1, "one\n", "two\n"]);
});

test("waiting ends with the process, and says what it has printed", async () => {
  const run = start("echo cannot bind; exit 3");
  await expect(run.printed(/listening/)).rejects.toThrow(
    "Ended with 3 before it printed /listening/:\ncannot bind",
  );
  await expect(run.until(() => false)).rejects.toThrow(/^Ended with 3 .*\ncannot bind/);
});

test("a process that lives, but has said that it cannot go on, is not waited for", async () => {
  const run = start("echo could not be run; read line");
  await expect(run.printed(/waiting/, /could not/)).rejects.toThrow("/waiting/ will not come");
  run.child.stdin?.end();
  await run.code;
});

test("a program that is not there ends the wait too", async () => {
  const run = follow(spawn("/nowhere/program", [], { stdio: "pipe" }));
  await expect(run.printed(/anything/)).rejects.toThrow("ENOENT");
});

test("a condition is looked at until it holds", async () => {
  const run = start("read line");
  let looks = 0;
  await run.until(() => ++looks === 3, 1);
  expect(looks).toBe(3);
  run.child.stdin?.end();
  await run.code;
});
