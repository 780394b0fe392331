import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { limits } from "../../../src/base/limits.ts";
import { captureConsole } from "../../../src/supervisor/console.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-console-"));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

describe("captureConsole", () => {
  test("appends to a private log and keeps the tail", async () => {
    const path = join(dir, "console.log");
    for (const text of ["first\n", "second \u001b[1m\n"]) {
      const capture = await captureConsole(path);
      capture.attach(Readable.from([Buffer.from(text)]));
      await capture.finished;
      expect(capture.tail()).toBe(text);
    }
    expect(await readFile(path, "utf8")).toBe("first\nsecond \u001b[1m\n");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test("a flood fills neither disk nor memory, and its end is still known", async () => {
    const path = join(dir, "console.log");
    const capture = await captureConsole(path);
    const chunk = Buffer.alloc(1024 * 1024, "x");
    const flood = function* () {
      for (
        let sent = 0;
        sent < limits.console.logBytesMax + 8 * chunk.length;
        sent += chunk.length
      ) {
        yield chunk;
      }
      yield Buffer.from("the very end");
    };
    capture.attach(Readable.from(flood()));
    await capture.finished;
    expect((await stat(path)).size).toBeLessThan(limits.console.logBytesMax + 1_000);
    expect(await readFile(path, "utf8")).toMatch(/console log is full.*\n$/);
    expect(capture.tail()).toHaveLength(limits.console.tailBytes);
    expect(capture.tail()).toMatch(/x{100}the very end$/);
  });

  test("what earlier boots wrote counts against the cap", async () => {
    const path = join(dir, "console.log");
    await writeFile(path, Buffer.alloc(limits.console.logBytesMax));
    const capture = await captureConsole(path);
    capture.attach(Readable.from([Buffer.from("more")]));
    await capture.finished;
    expect((await stat(path)).size).toBe(limits.console.logBytesMax);
    expect(capture.tail()).toBe("more");
  });

  test("a broken stream ends the capture", async () => {
    const capture = await captureConsole(join(dir, "console.log"));
    const stream = new PassThrough();
    capture.attach(stream);
    stream.write("last words");
    await new Promise((resolve) => setImmediate(resolve));
    stream.destroy(new Error("broken"));
    await capture.finished;
    expect(capture.tail()).toBe("last words");
  });

  test("a log that cannot be opened is an error", async () => {
    await expect(captureConsole(dir)).rejects.toMatchObject({ code: "store_corrupt" });
  });
});
