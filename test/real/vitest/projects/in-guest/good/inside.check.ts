import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { expect, inject, onTestFinished, test, vi } from "vitest";
import { sign } from "../src/sign.ts";

declare const DEFINED_BY_CONFIG: string;

test("has a machine of its own, as root", () => {
  expect(hostname()).toMatch(/^vitest-file-/);
  expect(execFileSync("sh", ["-c", "id -u"]).toString()).toBe("0\n");
  expect(readFileSync("/from-setup", "utf8")).toBe("by-setup\n");
  expect(existsSync("/etc/debian_version")).toBe(false);
});

test("has its files, its environment and nothing else of the host's", () => {
  expect(readFileSync(new URL("../words.txt", import.meta.url), "utf8")).toBe(
    "words of the host\n",
  );
  const { FROM_CONFIG, FROM_POOL, VITEST, MICROAGENT_STATE_DIR, PLUGIN_TEST_SECRET } = process.env;
  expect({ FROM_CONFIG, FROM_POOL, VITEST }).toEqual({
    FROM_CONFIG: "configured",
    FROM_POOL: "pooled",
    VITEST: "true",
  });
  expect([MICROAGENT_STATE_DIR, PLUGIN_TEST_SECRET]).toEqual([undefined, undefined]);
  expect(inject("fromHost" as never)).toBe("provided");
  expect(DEFINED_BY_CONFIG).toBe("defined");
});

test("imports what the host transforms, and packages as they are", async () => {
  expect(sign(1)).toBe("not negative");
  const name = "greeter";
  const { greet } = await import(/* @vite-ignore */ name);
  expect(greet("you")).toBe("hello, you");
});

test("mocks, timers and hooks are Vitest's", () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const called = vi.fn();
  setTimeout(called, 3_600_000);
  vi.advanceTimersByTime(3_600_000);
  expect(called).toHaveBeenCalledOnce();
});

test("prints in all ways", () => {
  console.log("PRINTED by the console");
  process.stdout.write("PRINTED by the stream\n");
  execFileSync("sh", ["-c", "echo PRINTED by a program"], { stdio: "inherit" });
});

test("is attributed", { meta: {} }, ({ annotate }) => annotate("NOTED", "notice"));
