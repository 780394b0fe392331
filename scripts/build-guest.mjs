// Builds the guest agent for both architectures, only when its sources changed.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const guest = join(dirname(dirname(fileURLToPath(import.meta.url))), "guest");
const out = join(guest, "bin");
const stampPath = join(out, "sources.sha256");
const architectures = ["amd64", "arm64"];
/** The agent, and its network process. */
const programs = ["agent", "network"];
const goVersionMin = [1, 26];

const targetOf = (program, arch) => join(out, `microagent-${program}-linux-${arch}`);

/** The files the binaries are made from, in a fixed order. */
function sources() {
  return readdirSync(guest, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .filter((path) => /(\.go|\.s|go\.mod|go\.sum)$/.test(path) && !/_test\.go$/.test(path))
    .sort();
}

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

function fail(message, hint) {
  process.stderr.write(`build-guest: ${message}\n  ${hint}\n`);
  process.exit(1);
}

function goVersion() {
  const installHint =
    "Install it: https://go.dev/dl (Debian: apt-get install golang-go, when that is new enough)";
  let text;
  try {
    text = execFileSync("go", ["env", "GOVERSION"], { cwd: out, encoding: "utf8" }).trim();
  } catch (error) {
    if (error.code === "ENOENT") fail("Go is not installed, want Go 1.26 or newer", installHint);
    throw error;
  }
  const [, major, minor] = /^go(\d+)\.(\d+)/.exec(text) ?? [];
  const tooOld =
    major !== undefined &&
    (major < goVersionMin[0] || (Number(major) === goVersionMin[0] && minor < goVersionMin[1]));
  // An older go fetches the right tool chain by itself unless it is told not to.
  if (tooOld && process.env.GOTOOLCHAIN === "local") {
    fail(`Go is "${text}", want Go ${goVersionMin.join(".")} or newer`, installHint);
  }
  return text;
}

function build(program, arch) {
  const target = targetOf(program, arch);
  const temporary = `${target}.${process.pid}`;
  execFileSync(
    "go",
    [
      "build",
      "-trimpath",
      "-buildvcs=false",
      "-ldflags",
      "-s -w -X=runtime.godebugDefault=asyncpreemptoff=1,updatemaxprocs=0",
      "-o",
      temporary,
      `./cmd/${program}`,
    ],
    {
      cwd: guest,
      stdio: "inherit",
      env: { ...process.env, CGO_ENABLED: "0", GOOS: "linux", GOARCH: arch },
    },
  );
  renameSync(temporary, target);
}

mkdirSync(out, { recursive: true });
const targets = programs.flatMap((program) => architectures.map((arch) => [program, arch]));
const wanted = fingerprint(goVersion());
const built = existsSync(stampPath) ? readFileSync(stampPath, "utf8") : "";
if (built === wanted && targets.every(([program, arch]) => existsSync(targetOf(program, arch)))) {
  process.stderr.write("build-guest: up to date\n");
} else {
  for (const [program, arch] of targets) {
    process.stderr.write(`build-guest: ${program} ${arch}\n`);
    try {
      build(program, arch);
    } catch (error) {
      fail(
        `The build of "${program}" for "${arch}" failed with exit code ${error.status}`,
        "See the lines above",
      );
    }
  }
  writeFileSync(stampPath, wanted);
}
