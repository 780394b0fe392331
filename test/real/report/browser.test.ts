import { execFile } from "node:child_process";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findProgram } from "../../../scripts/host-packages.mjs";
import { reportPage } from "../../../src/report/page.ts";
import { ranResult, sampleFile, sampleRun } from "../../unit/report/sample-run.ts";

const run = promisify(execFile);
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-browser-"));
});
afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

const acting = `</pre></td></table><script>document.title = "owned"</script><svg onload="document.title='owned'"><a href="javascript:1">`;

/** What the browser made of a page, after everything in it that could run has run. */
async function openedPage(page: string): Promise<string> {
  const path = join(dir, "page.html");
  await writeFile(path, page);
  const { stdout } = await browse("--dump-dom", `file://${path}`);
  return stdout;
}

/** Any of one family: its flags are the same. */
function browser(): string {
  const names = ["chromium-headless-shell", "chromium", "google-chrome"];
  const found = names.map(findProgram).find((path) => path !== null);
  if (found == null) throw new Error("no browser here: apt-get install chromium-headless-shell");
  return found;
}

async function browse(...args: string[]) {
  const quiet = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    `--user-data-dir=${dir}`,
  ];
  return await run(browser(), ["--headless", ...quiet, ...args], {
    cwd: dir,
    timeout: 60_000,
    maxBuffer: 64 * 1024 * 1024,
  });
}

test("a browser shows the page whole, and runs nothing that the guest wrote", async () => {
  const dom = await openedPage(
    reportPage(
      sampleRun({
        workspace: acting,
        result: { ...ranResult, stdout: acting },
        artifacts: [{ ...sampleFile, path: acting }],
      }),
      null,
    ),
  );
  expect(dom).not.toContain("<title>owned");
  expect(dom).not.toMatch(/<script|<svg|<a /);
  expect(dom.match(/&lt;script&gt;/g)?.length).toBeGreaterThanOrEqual(4);
  for (const part of ["timeline", "console", "egress", "artifacts"]) {
    expect(dom).toContain(`<section id="${part}">`);
  }
});

test("the same browser does run such text where nothing escapes it", async () => {
  expect(await openedPage(`<title>x</title>${acting}`)).toContain("<title>owned");
});

test("the page has something to look at", async () => {
  const path = join(dir, "seen.html");
  await writeFile(path, reportPage(sampleRun(), null));
  const picture = join(dir, "seen.png");
  await browse(`--screenshot=${picture}`, "--window-size=1000,1400", `file://${path}`);
  // An empty page of this size compresses to some 5 KiB.
  expect((await stat(picture)).size).toBeGreaterThan(15_000);
});
