// @ts-check
// Builds the guest agent, each binary only when what it is made from has changed.
//
//   node scripts/build-guest.mjs          for this host's architecture
//   node scripts/build-guest.mjs arm64    for another one
//   node scripts/build-guest.mjs all      for every one, as packages ship them
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureGo } from "./find-go.mjs";
import { hostArchitecture } from "./go-toolchain.mjs";
import { isMain, root, run, runMain, ScriptFailure, say } from "./steps.mjs";

const guest = join(root, "guest");
const architectures = ["amd64", "arm64"];
/** The agent, and its network process. */
const programs = ["agent", "network"];

/** Of the file beside a binary that says what it was built from. */
const stampEnding = ".sources";

/** Tells the record of a build, which nobody needs who has only the binaries. @param {string} path */
export function isStamp(path) {
  return path.endsWith(stampEnding) || path.endsWith("sources.sha256");
}

/** Every architecture that is supported, the host's first. */
export function everyArchitecture() {
  const own = hostArchitecture();
  return [own, ...architectures.filter((each) => each !== own)];
}

/**
 * What a build has to do.
 *
 * @param {readonly string[]} wanted architectures to build for
 * @param {(name: string) => string | null} stampOf what the binary of that name was built from, null without one
 * @param {string} stamp what it would be built from now
 * @returns {{ build: { program: string, arch: string, name: string }[], outdated: string[] }} in this order; and
 *   binaries for other architectures that must not be taken for current ones
 */
export function planBuild(wanted, stampOf, stamp) {
  const order = everyArchitecture().filter((each) => wanted.includes(each));
  const targets = (/** @type {readonly string[]} */ list) =>
    list.flatMap((arch) =>
      programs.map((program) => ({ program, arch, name: `microagent-${program}-linux-${arch}` })),
    );
  const others = targets(architectures.filter((each) => !wanted.includes(each)));
  return {
    build: targets(order).filter(({ name }) => stampOf(name) !== stamp),
    outdated: others
      .map(({ name }) => name)
      .filter((name) => ![null, stamp].includes(stampOf(name))),
  };
}

/** @param {readonly string[]} wanted architectures @param {string} [folder] gets the binaries */
export async function buildGuest(wanted, folder = join(guest, "bin")) {
  const go = await ensureGo();
  mkdirSync(folder, { recursive: true });
  const stampPath = (/** @type {string} */ name) => join(folder, `${name}${stampEnding}`);
  const stampOf = (/** @type {string} */ name) => {
    if (!existsSync(join(folder, name))) return null;
    return existsSync(stampPath(name)) ? readFileSync(stampPath(name), "utf8") : "";
  };
  const stamp = fingerprint(await versionOf(go));
  const { build, outdated } = planBuild(wanted, stampOf, stamp);
  for (const name of outdated) {
    await rm(join(folder, name), { force: true });
    await rm(stampPath(name), { force: true });
  }
  for (const { program, arch, name } of build) {
    say(`build-guest: ${program} ${arch}`);
    await buildProgram(go, program, arch, join(folder, name));
    writeFileSync(stampPath(name), stamp);
  }
  return build.length === 0
    ? "up to date"
    : `built for ${[...new Set(build.map((each) => each.arch))].join(", ")}`;
}

/** The files the binaries are made from, in a fixed order. */
function sources() {
  return readdirSync(guest, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .filter((path) => /(\.go|\.s|go\.mod|go\.sum)$/.test(path) && !/_test\.go$/.test(path))
    .sort();
}

/** @param {string} goVersion */
function fingerprint(goVersion) {
  const hash = createHash("sha256");
  hash.update(`${goVersion}\n`);
  hash.update(readFileSync(fileURLToPath(import.meta.url)));
  for (const path of sources()) {
    const text = readFileSync(path);
    hash.update(`${path.slice(guest.length)} ${text.length}\n`).update(text);
  }
  return hash.digest("hex");
}

/** @param {import("./find-go.mjs").Go} go */
async function versionOf({ program, env }) {
  let text = "";
  await run(program, ["env", "GOVERSION"], { env, onStdout: (chunk) => (text += chunk) });
  return text.trim();
}

/** @param {import("./find-go.mjs").Go} go @param {string} program @param {string} arch @param {string} target */
async function buildProgram(go, program, arch, target) {
  const temporary = `${target}.${process.pid}`;
  const flags = "-s -w -X=runtime.godebugDefault=asyncpreemptoff=1,updatemaxprocs=0";
  const words = ["build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", temporary];
  const status = await run(go.program, [...words, `./cmd/${program}`], {
    cwd: guest,
    env: { ...go.env, CGO_ENABLED: "0", GOOS: "linux", GOARCH: arch },
  });
  if (status === 0) return await rename(temporary, target);
  await rm(temporary, { force: true });
  throw new ScriptFailure(
    `The build of the guest's ${program} for "${arch}" ended with ${status}`,
    "see the lines above; modules that cannot be downloaded: go env GOPROXY GOSUMDB",
  );
}

/** @param {readonly string[]} words of the command line */
function wantedArchitectures(words) {
  if (words.length === 0) return [hostArchitecture()];
  if (words.includes("all")) return everyArchitecture();
  const unknown = words.find((word) => !architectures.includes(word));
  if (unknown === undefined) return words;
  throw new ScriptFailure(
    `There is no guest agent for "${unknown}": expected ${architectures.join(", ")} or all`,
    "npm run build:guest -- all",
  );
}

if (isMain(import.meta.url)) {
  await runMain(async () => {
    say(`build-guest: ${await buildGuest(wantedArchitectures(process.argv.slice(2)))}`);
    return 0;
  });
}
