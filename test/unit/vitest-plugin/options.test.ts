import { expect, test } from "vitest";
import { budgetOf, resolveOptions } from "../../../vitest-plugin/options.ts";

test("the first template is the default, and an image alone is one", () => {
  const { settings, templates } = resolveOptions({ templates: { a: "alpine:3.20", b: "x" } });
  expect(settings.template).toBe("a");
  expect(templates).toMatchObject({ a: { image: "alpine:3.20" } });
  expect(resolveOptions({}).settings.template).toBeNull();
});

test.each([
  [{ templates: { a: { image: "x", memroy: 3 } } }, /microvm\(\)\.templates\.a.*memroy/],
  [{ templates: { a: { image: "x", memory: "256" } } }, /templates\.a\.memory/],
  [{ templates: { "": "x" } }, /templates/],
  [{ budget: { memory: "much" } }, /budget\.memory/],
  [{ timeouts: { boot: -1 } }, /timeouts\.boot/],
  [{ template: "none", templates: { a: "x" } }, /no template "none", wanted one of "a"/],
])("%j is refused with its place", (options, message) => {
  expect(() => resolveOptions(options as never)).toThrow(message);
});

test("a budget in MiB is cut to a container's limit, and to nothing else", () => {
  const host = { memoryMib: 2048, memoryLimitedBy: "this container", cpuCount: 2 };
  expect(budgetOf({ memory: 8192 }, host).memoryMib).toBe(2048);
  expect(budgetOf({ memory: 1024 }, host).memoryMib).toBe(1024);
  expect(budgetOf({ memory: "50%" }, host).memoryMib).toBe(1024);
  expect(budgetOf({ memory: 8192 }, { ...host, memoryLimitedBy: null }).memoryMib).toBe(8192);
});

test("a share of the host's memory is a budget, and timeouts are stretched", () => {
  const { settings } = resolveOptions({
    budget: { memory: "50%" },
    timeouts: { wait: 10, scale: 3 },
  });
  const whole = resolveOptions({ budget: { memory: "100%" } }).settings.budget.memoryMib;
  expect(settings.budget.memoryMib).toBe(Math.floor(whole / 2));
  expect(settings.timeouts.wait).toBe(30);
});
