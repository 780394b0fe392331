import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { countGoTests } from "../../../scripts/go-tests.mjs";
import { countReport, suites } from "../../../scripts/vitest-suites.mjs";

const lines = (...events: object[]) => events.map((event) => JSON.stringify(event)).join("\n");
const go = (Action: string, Test?: string) => ({ Action, Package: "p", Test });

describe("what go test -json tells", () => {
  test("leaf tests count, their parents and packages do not", () => {
    const text = lines(
      go("pass", "A/x"),
      go("pass", "A/y"),
      go("pass", "A"),
      go("pass", "B"),
      go("pass"),
    );
    expect(countGoTests(text)).toEqual({ passed: 3, failed: 0, skipped: 0 });
  });

  test("a failing subtest is one failure, not three", () => {
    const text = lines(go("fail", "A/x"), go("pass", "A/y"), go("fail", "A"), go("fail"));
    expect(countGoTests(text)).toEqual({ passed: 1, failed: 1, skipped: 0 });
  });

  test("a parent that fails by itself, and a package that does not build, are failures", () => {
    const own = lines(go("pass", "A/x"), go("fail", "A"), go("fail"));
    expect(countGoTests(own)).toEqual({ passed: 1, failed: 1, skipped: 0 });
    expect(countGoTests(`# p\nbroken.go:1: no\n${lines(go("fail"))}`).failed).toBe(1);
  });

  test("skipped tests are told", () => {
    expect(countGoTests(lines(go("skip", "A"), go("pass")))).toEqual({
      passed: 0,
      failed: 0,
      skipped: 1,
    });
  });
});

describe("what Vitest's report tells", () => {
  const root = join(import.meta.dirname, "..", "..", "..");
  const file = (suite: string, ...statuses: string[]) => ({
    name: join(root, "test", suite, "a.test.ts"),
    status: statuses.includes("failed") ? "failed" : "passed",
    assertionResults: statuses.map((status) => ({
      status,
      ...(status === "pending" ? { meta: { refused: "A mount is refused on this host" } } : {}),
    })),
  });
  const report = (files: ReturnType<typeof file>[]) => {
    const count = (status: string) =>
      files.flatMap((each) => each.assertionResults).filter((test) => test.status === status)
        .length;
    return {
      numPassedTests: count("passed"),
      numFailedTests: count("failed"),
      numPendingTests: count("pending"),
      numTodoTests: 0,
      testResults: files,
    };
  };
  const all = suites.map((suite) => file(suite, "passed"));

  test("everything passed", () => {
    const counts = { passed: suites.length, failed: 0, skipped: 0 };
    expect(countReport(report(all), 0)).toEqual(counts);
  });

  test("a test that was skipped without the host's refusal is a failure", () => {
    const bare = {
      ...file("real", "passed"),
      assertionResults: [{ status: "skipped" }, { status: "passed" }],
    };
    expect(countReport(report([...all, bare]), 0).failed).toBe(1);
  });

  test("a suite that ran no test is a failure, also when all of it was skipped", () => {
    expect(countReport(report(all.slice(1)), 0).failed).toBe(1);
    expect(countReport(report([...all.slice(1), file(suites[0] ?? "", "pending")]), 0)).toEqual({
      passed: suites.length - 1,
      failed: 1,
      skipped: 1,
    });
  });

  test("a file that could not be loaded is a failure", () => {
    const broken = { ...file("unit"), status: "failed", message: "no such module" };
    expect(countReport(report([...all, broken]), 1).failed).toBe(1);
  });

  test("an error outside of any test is a failure", () => {
    expect(countReport(report(all), 1).failed).toBe(1);
  });
});
