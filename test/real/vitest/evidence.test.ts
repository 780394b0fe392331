import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Major, openVitestProject } from "../../fixtures/vitest-host.ts";

describe.each<[Major]>([[4], [5]])("under Vitest %i", (major) => {
  test("a failure carries what was done, why it ended, and the console", async () => {
    await using project = await openVitestProject(major, "failing");
    const outputs = ["--outputFile.json=report.json", "--outputFile.junit=report.xml"];
    const reporters = ["--reporter=default", "--reporter=json", "--reporter=junit"];
    const { code, text } = await project.run([...reporters, ...outputs]);
    expect(code, text).toBe(1);
    const part = (name: string) => {
      const from = text.indexOf(`FAIL  failing.check.ts > ${name}`);
      const to = text.indexOf("FAIL  failing.check.ts", from + 10);
      expect(from, `"${name}" is not in:\n${text}`).toBeGreaterThanOrEqual(0);
      return text.slice(from, to < 0 ? undefined : to);
    };

    const command = part("a command fails");
    expect(command).toContain('Command "echo broken-here >&2; exit 9" ended with exit code 9');
    expect(command).toContain("Machines of this test");
    expect(command).toMatch(/\$ echo out-of-seven; exit 7\s+-> exit code 7/);
    expect(command).toContain('clone of template "box", 256 MiB, running');

    const died = part("the machine dies");
    expect(died).toMatch(/killed/);
    expect(died).toContain("last-words");

    const waited = part("time runs out while it waits");
    expect(waited).toMatch(/Port 4711 did not open on machine ".*" within \d+ ms; last seen/);
    expect(waited).not.toContain("Test timed out");

    expect(part("no room is left")).toMatch(
      /256 MiB and 1 CPUs cannot run beside 2 machines with 512 MiB/,
    );
    expect(part("cleaning up throws")).toContain("thrown on purpose");

    const junit = await readFile(join(project.dir, "report.xml"), "utf8");
    expect(junit).toContain("ended with exit code 9");
    expect(junit).toContain("Machines of this test");
    expect(junit).toMatch(/echo out-of-seven; exit 7\s+-&gt; exit code 7/);
    const json = JSON.parse(await readFile(join(project.dir, "report.json"), "utf8"));
    expect(json).toMatchObject({ numFailedTests: 6 });
    const [failed] = json.testResults[0].assertionResults;
    expect(failed.meta.microvmEvidence[0]).toMatch(/echo out-of-seven; exit 7\s+-> exit code 7/);
    const kept = major === 4 ? ".vitest-attachments" : ".vitest";
    const files = await readdir(join(project.dir, kept), { recursive: true, withFileTypes: true });
    const texts = await Promise.all(
      files
        .filter((file) => file.isFile())
        .map((file) => readFile(join(file.parentPath, file.name), "utf8")),
    );
    expect(texts.some((each) => each.includes("from-the-log"))).toBe(true);
    expect(texts.some((each) => each.includes("echo out-of-seven"))).toBe(true);
    const consoles = texts.filter((each) => each.includes("last-words"));
    expect(
      consoles.some((each) => each.includes("first-words")),
      "all of the console, not its end",
    ).toBe(true);
  });
});
