import { describe, expect, test } from "vitest";
import { type Major, openVitestProject, type VitestProject } from "../../fixtures/vitest-host.ts";

/** A line that the report prints. */
function printed(text: string, pattern: RegExp): string {
  const [, found] = pattern.exec(text) ?? [];
  if (found === undefined) throw new Error(`${pattern} is not in:\n${text}`);
  return found;
}

async function said(project: VitestProject, line: string): Promise<string> {
  const { code, text } = await project.type(line);
  expect(code, `${line}\n${text}`).toBe(0);
  return text.trim();
}

describe.each<[Major]>([[4], [5]])("under Vitest %i", (major) => {
  test("a failed test's machine is kept, and goes on with the commands that the report prints", async () => {
    await using project = await openVitestProject(major, "kept");
    const { code, text } = await project.run(["-t", "fails in the middle"]);
    expect(code, text).toBe(1);
    const create = printed(text, /^\s*(npx microagent create .*)$/m);
    const [, copy = ""] = /create (\S+)/.exec(create) ?? [];
    const [, kept = "", tag = ""] = /--from-snapshot (\S+):(\S+)/.exec(create) ?? [];
    const where = `--state-dir ${project.stateDir}`;
    const exec = (name: string, script: string) =>
      said(project, `npx microagent exec ${name} ${where} -- sh -c '${script}'`);
    try {
      await said(project, create);
      expect(await exec(copy, "cat /run/own/note; echo $WHO")).toBe("in-memory\ntemplate");
      const beat =
        "was=$(cat /run/own/beat); sleep 1; test $was != $(cat /run/own/beat) && echo on";
      expect(await exec(copy, beat), "what ran then runs now").toBe("on");
      const refused = await exec(copy, "nslookup -type=a elsewhere.test 2>&1; true");
      expect(refused, "its network is the template's").toMatch(/refused/i);
      const connect = printed(text, /^\s*(npx microagent connect .*)$/m);
      expect(await said(project, `${connect} --send "hostname && exit 0"`)).toContain(copy);

      const again = await project.run(["-t", "goes on"], { PLUGIN_TEST_KEPT: `${kept}:${tag}` });
      expect([again.code, again.text]).toEqual([0, expect.stringContaining("1 passed")]);

      expect(await said(project, `npx microagent status ${kept} ${where}`)).toContain(
        'Kept as it was when the test "fails in the middle of something" failed',
      );
      // Its disk is there too: started without its memory, it boots.
      await said(project, `npx microagent start ${kept} ${where}`);
      expect(await exec(kept, "cat /note; ls /run/own 2>&1 | grep -c such")).toBe("on-disk\n1");
    } finally {
      await project.type(`npx microagent delete ${copy} ${kept} --force ${where}`);
    }
  });
});
