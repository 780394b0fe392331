import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli } from "../../fixtures/cli.ts";
import { openWorkbench, type Workbench } from "../../fixtures/workbench.ts";
import { leaveOut } from "../../support/refused.ts";

let bench: Workbench;
/** Everybody may go through it, so that nothing but the state directory's own modes keeps others out. */
let open: string;
let stateDir: string;

beforeAll(async () => {
  bench = await openWorkbench();
  open = await mkdtemp(join(tmpdir(), "microagent-other-user-"));
  await chmod(open, 0o755);
  stateDir = join(open, "state");
});
afterAll(async () => {
  await cli("rm", "mine", "--force");
  await rm(open, { recursive: true, force: true });
  await bench[Symbol.asyncDispose]();
});

const cli = (...words: string[]) =>
  runCli(words, { env: { MICROAGENT_STATE_DIR: stateDir, MICROAGENT_CACHE_DIR: bench.stateDir } });

/** Tries everything that a path allows, and prints what went through: one line for each. */
const attack = `
const { lstatSync, readdirSync, openSync, writeFileSync, symlinkSync } = require("node:fs");
const { connect } = require("node:net");
const tried = (what, path, work) => {
  try { work(); console.log(what + " " + path); } catch {}
};
process.on("message", (paths) => {
  for (const path of paths) {
    tried("looked at", path, () => lstatSync(path));
    tried("listed", path, () => readdirSync(path));
    tried("read", path, () => openSync(path, "r"));
    tried("opened for writing", path, () => openSync(path, "r+"));
    tried("put a file into", path, () => writeFileSync(path + "/x", ""));
    tried("put a link into", path, () => symlinkSync("/", path + "/y"));
  }
  let left = paths.length;
  for (const path of paths) {
    const socket = connect({ path });
    const over = () => { socket.destroy(); if (--left === 0) process.exit(); };
    socket.once("connect", () => { console.log("connected to " + path); over(); });
    socket.once("error", over);
  }
});
`;

/** What another user gets to, of these paths; a text where this host does not let us be another user. */
async function asAnother(paths: readonly string[]): Promise<readonly string[] | string> {
  const nobody = 65_534;
  const child = spawn(process.execPath, ["-e", attack], {
    uid: nobody,
    gid: nobody,
    cwd: "/",
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  let said = "";
  let failed = "";
  child.stdout?.setEncoding("utf8").on("data", (text) => (said += text));
  child.stderr?.setEncoding("utf8").on("data", (text) => (failed += text));
  const spawned = await new Promise<string | null>((resolve) => {
    child.once("spawn", () => resolve(null));
    child.once("error", (error) => resolve(error.message));
  });
  if (spawned !== null) return spawned;
  child.send(paths);
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`The other user's program failed (${code}): ${failed}`);
  return said.split("\n").filter((line) => line !== "");
}

async function everythingIn(
  dir: string,
): Promise<{ paths: string[]; sockets: string[]; dirs: string[] }> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const pathOf = (entry: (typeof entries)[number]) => join(entry.parentPath, entry.name);
  return {
    paths: [dir, ...entries.map(pathOf)],
    sockets: entries.filter((entry) => entry.isSocket()).map(pathOf),
    dirs: [dir, ...entries.filter((entry) => entry.isDirectory()).map(pathOf)],
  };
}

test("another user reaches nothing of a running workspace, not even where its directories were opened", async (context) => {
  const seen = await asAnother([open]);
  if (typeof seen === "string") return leaveOut(context, "Being another user", seen);
  expect(seen).toEqual([`looked at ${open}`, `listed ${open}`, `read ${open}`]);
  // What anybody may connect to is told: its silence later on means something.
  const anybodys = join(open, "anybodys.sock");
  const server = createServer((socket) => socket.end()).listen(anybodys);
  await once(server, "listening");
  await chmod(anybodys, 0o666);
  expect(await asAnother([anybodys])).toContain(`connected to ${anybodys}`);
  await new Promise((resolve) => server.close(resolve));
  const machine = ["--image", bench.image, "--memory", "128", "--size-mib", "64"];
  expect((await cli("create", "mine", ...machine, "-e", "TOKEN=s3cret")).code).toBe(0);
  expect(await cli("start", "mine")).toMatchObject({ code: 0 });
  const { paths, sockets, dirs } = await everythingIn(stateDir);
  expect(sockets).toEqual([expect.stringContaining("control.sock")]);
  expect(paths.length).toBeGreaterThan(10);
  // Of the state directory itself, that it is there.
  expect(await asAnother(paths)).toEqual([`looked at ${stateDir}`]);

  for (const dir of dirs) await chmod(dir, 0o755);
  const reached = await asAnother(paths);
  if (typeof reached === "string") throw new Error(reached);
  expect(reached).toEqual(expect.arrayContaining(sockets.map((path) => `looked at ${path}`)));
  const isDir = (line: string) => dirs.some((dir) => line.endsWith(` ${dir}`));
  expect(reached.filter((line) => !line.startsWith("looked at ") && !isDir(line))).toEqual([]);
  // It is still its owner's.
  expect(await cli("exec", "mine", "--", "echo", "here")).toMatchObject({ stdout: "here\n" });
});
