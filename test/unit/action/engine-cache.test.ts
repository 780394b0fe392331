import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  imageEntry,
  kernelEntry,
  processorOf,
  templateEntry,
} from "../../../action/engine-cache.ts";

const facts = { version: "1", vmm: "qemu 10 kvm", cpu: "cpu", machine: ["x"] };

test("keys are the same for the same thing, and as a cache service takes them", () => {
  const make = () => [
    kernelEntry("/s", "x86_64", "1"),
    imageEntry("/s", "x86_64", "docker.io/a,b:1"),
    templateEntry("/s", "x86_64", facts),
  ];
  expect(make()).toEqual(make());
  const prefixes = make().map(({ prefix }) => prefix);
  expect(new Set(prefixes).size).toBe(3);
  for (const prefix of prefixes) expect(prefix).toMatch(/^[a-z0-9_-]{1,120}$/);
});

test("whatever must agree is part of the key", () => {
  const base = templateEntry("/s", "x86_64", facts).prefix;
  for (const other of [
    templateEntry("/s", "aarch64", facts),
    templateEntry("/s", "x86_64", { ...facts, version: "2" }),
    templateEntry("/s", "x86_64", { ...facts, vmm: "qemu 10 tcg" }),
    templateEntry("/s", "x86_64", { ...facts, cpu: "other" }),
    templateEntry("/s", "x86_64", { ...facts, machine: ["y"] }),
  ])
    expect(other.prefix).not.toBe(base);
  expect(kernelEntry("/s", "x86_64", "1").prefix).not.toBe(kernelEntry("/s", "x86_64", "2").prefix);
  expect(imageEntry("/s", "x86_64", "a").prefix).not.toBe(imageEntry("/s", "x86_64", "b").prefix);
});

test("paths are below the state directory, and no disk that a guest writes is among them", () => {
  const paths = [
    ...kernelEntry("/s", "x86_64", "1").paths,
    ...imageEntry("/s", "x86_64", "a").paths,
    ...templateEntry("/s", "x86_64", facts).paths,
  ];
  expect(paths).toEqual(["/s/kernels", "/s/images/blobs", "/s/images/names", "/s/templates"]);
});

test("a processor is its model and its features", async () => {
  const dir = await mkdtemp(join(tmpdir(), "microagent-cpu-"));
  const cpu = async (flags: string) => {
    await writeFile(join(dir, "cpuinfo"), `processor\t: 0\nmodel name\t: X\nflags\t\t: ${flags}\n`);
    return await processorOf(join(dir, "cpuinfo"));
  };
  try {
    expect(await cpu("fpu sse")).toBe(await cpu("fpu sse"));
    expect(await cpu("fpu sse")).not.toBe(await cpu("fpu sse avx"));
    expect(await processorOf(join(dir, "nothing"))).toContain("[");
  } finally {
    await rm(dir, { recursive: true });
  }
});
