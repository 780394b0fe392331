// @ts-check
// The Go toolchain as the module that it is published as. An older Go downloads it, from the proxy that the
// user has configured, and verifies it by the checksum database. Go 1.21 and later would do that by
// themselves; Debian 12 has 1.19.
import { existsSync } from "node:fs";
import { chmod, mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { printedGo } from "./go-version.mjs";
import { isAlive, run, ScriptFailure, say } from "./steps.mjs";

/** Go's name of a processor, by node's. */
const goArchitectures = { x64: "amd64", arm64: "arm64" };

/** Go's name of this host's processor. */
export function hostArchitecture() {
  const found = Object.entries(goArchitectures).find(([node]) => node === process.arch)?.[1];
  if (found !== undefined) return found;
  throw new ScriptFailure(
    `Processor architecture "${process.arch}" is not supported: expected "x64" or "arm64"`,
  );
}

/** @param {string} version @returns {string} for example `go1.26.0.linux-amd64` */
export function toolchainName(version) {
  return `go${version}.${process.platform}-${hostArchitecture()}`;
}

/**
 * Puts the toolchain `fetch` into `folder`, complete or not at all.
 *
 * @param {{ folder: string, env: NodeJS.ProcessEnv, least: string, fetch: string,
 *           old: { program: string, version: string } }} wish
 */
export async function downloadToolchain({ folder, env, least, fetch, old }) {
  const name = toolchainName(fetch);
  const module = `golang.org/toolchain@v0.0.1-${name}`;
  await mkdir(folder, { recursive: true });
  await removeLeftovers(folder);
  const place = join(folder, `download.${process.pid}.${Math.random().toString(36).slice(2)}`);
  const modules = join(place, "modules");
  const why = `Go "${old.version}" is older than "${least}" of guest/go.mod`;
  say(`  downloading Go ${fetch}: ${why}`);
  try {
    await mkdir(place);
    // Go reads the nearest go.mod above, and an old Go stops at a new one.
    await writeFile(join(place, "go.mod"), "module toolchain\n");
    const flags = (await output(old.program, ["env", "GOFLAGS"], { cwd: place, env })).text.trim();
    const { status, text, complaint } = await output(
      old.program,
      ["mod", "download", "-json", module],
      {
        cwd: place,
        env: {
          ...env,
          GO111MODULE: "on",
          GOWORK: "off",
          GOTOOLCHAIN: "local",
          GOMODCACHE: modules,
          GOFLAGS: [flags, "-mod=mod", "-modcacherw"].filter((flag) => flag !== "").join(" "),
        },
      },
    );
    if (status !== 0) {
      throw new ScriptFailure(
        `${why}, and the toolchain module "${module}" could not be downloaded: ${saidBy(text, complaint)}`,
        `go env GOPROXY GOSUMDB, and run this again once they answer; or install Go ${least} or newer`,
      );
    }
    const unpacked = join(modules, module);
    await makeExecutable(unpacked);
    const version = printedGo(
      (await output(join(unpacked, "bin", "go"), ["version"], { env })).text,
    );
    if (version !== fetch) {
      throw new ScriptFailure(
        `The toolchain module "${module}" holds Go "${version ?? ""}": expected "${fetch}"`,
        `install Go ${least} or newer`,
      );
    }
    await rename(unpacked, join(folder, name)).catch((error) => {
      // Another process has finished the same download meanwhile.
      if (!existsSync(join(folder, name))) throw error;
    });
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

/** Zip files of modules carry no modes. @param {string} toolchain */
async function makeExecutable(toolchain) {
  const tools = join(toolchain, "pkg", "tool");
  const platforms = (await namesIn(tools)).map((name) => join(tools, name));
  for (const folder of [join(toolchain, "bin"), ...platforms]) {
    for (const name of await namesIn(folder)) await chmod(join(folder, name), 0o755);
  }
}

/** @param {string} folder */
async function namesIn(folder) {
  return await readdir(folder).catch(() => /** @type {string[]} */ ([]));
}

/** What downloads of processes that were killed left behind. @param {string} folder */
async function removeLeftovers(folder) {
  for (const name of await readdir(folder)) {
    const pid = /^download\.(\d+)/.exec(name)?.[1];
    if (pid === undefined || isAlive(Number(pid))) continue;
    await rm(join(folder, name), { recursive: true, force: true });
  }
}

/** With `-json`, Go explains a failure on standard output. @param {string} text @param {string} complaint */
function saidBy(text, complaint) {
  const inDocument = /"Error": ("(?:[^"\\]|\\.)*")/.exec(text)?.[1];
  const said = inDocument === undefined ? complaint : String(JSON.parse(inDocument));
  return said.trim().split("\n").at(-1) ?? "";
}

/** @param {string} file @param {string[]} args @param {{ cwd?: string, env: NodeJS.ProcessEnv }} options */
async function output(file, args, options) {
  let text = "";
  let complaint = "";
  const status = await run(file, args, {
    ...options,
    onStdout: (chunk) => (text += chunk),
    onStderr: (chunk) => (complaint += chunk),
  });
  return { status, text, complaint };
}
