import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ensureGo, type GoHost } from "../../../scripts/find-go.mjs";
import { compareGo, demandedGo } from "../../../scripts/go-version.mjs";

let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-go-"));
  await writeFile(join(dir, "go.mod"), "module example.test/guest\n\ngo 1.26.0\n");
});
afterEach(async () => await rm(dir, { recursive: true, force: true }));

const platform = `linux-${process.arch === "arm64" ? "arm64" : "amd64"}`;
const toolchains = () => join(dir, "toolchains");
const ownGo = (version = "1.26.0") => join(toolchains(), `go${version}.${platform}`, "bin", "go");

/**
 * A Go command that knows its version. It downloads the toolchain module as the real one does: without execute bits.
 * It records what it was asked, and in which environment.
 */
async function fakeGo(folder: string, version: string, download = "true"): Promise<string> {
  const bin = join(dir, folder, "bin");
  await mkdir(bin, { recursive: true });
  const program = join(bin, "go");
  await writeFile(
    program,
    `#!/bin/sh
echo "$*" >> '${dir}/calls'
case "$1 $2" in
"version ") echo "go version go${version} linux/amd64" ;;
"env GOFLAGS") echo "$GOFLAGS" ;;
"mod download")
  pwd > '${dir}/cwd'; env > '${dir}/env'; ls > '${dir}/listing'
  ${download}
  target="$GOMODCACHE/$4"
  mkdir -p "$target/bin" "$target/pkg/tool/linux_amd64" "$target/src/cmd"
  version=$(echo "$4" | sed 's/.*-go\\([0-9.]*\\)\\.linux-.*/\\1/')
  printf '#!/bin/sh\\necho "go version go%s linux/amd64"\\n' "$version" > "$target/bin/go"
  for path in bin/gofmt pkg/tool/linux_amd64/compile pkg/tool/linux_amd64/link src/cmd/main.go VERSION; do
    echo "$path" > "$target/$path"
  done
  find "$target" -type f -exec chmod 0444 {} +
  ;;
esac
`,
  );
  await chmod(program, 0o755);
  return program;
}

function hostWith(programs: readonly string[], more: Partial<GoHost> = {}): GoHost {
  return {
    goMod: join(dir, "go.mod"),
    folder: toolchains(),
    programs: () => [...programs],
    installPackage: () => Promise.reject(new Error("nothing should be installed")),
    env: { PATH: process.env.PATH ?? "" },
    ...more,
  };
}

const calls = async () => (await readFile(join(dir, "calls"), "utf8").catch(() => "")).trim();
const environment = async () => await readFile(join(dir, "env"), "utf8");

describe("which Go is used", () => {
  test("a Go of the host that is new enough, as it is", async () => {
    const found = await fakeGo("new", "1.26.0");
    const go = await ensureGo(hostWith([found]));
    expect(go.program).toBe(found);
    expect(go.env.GOTOOLCHAIN).toBe("local");
    expect(await calls()).toBe("version");
    expect(await readdir(dir)).not.toContain("toolchains");
  });

  test("the second Go of the host, where the first one is too old", async () => {
    const found = await fakeGo("new", "1.27.3");
    const go = await ensureGo(hostWith([await fakeGo("old", "1.19.8"), found]));
    expect(go.program).toBe(found);
    expect(go.env.PATH?.split(":")[0]).toBe(join(dir, "new", "bin"));
  });

  test("the module of the toolchain, where the host's Go is too old", async () => {
    const go = await ensureGo(hostWith([await fakeGo("old", "1.19.8")]));
    expect(go.program).toBe(ownGo());
    expect(await calls()).toContain(
      `mod download -json golang.org/toolchain@v0.0.1-go1.26.0.${platform}`,
    );
    expect(go.env).toMatchObject({ GOTOOLCHAIN: "local" });
    expect(go.env.PATH?.split(":")[0]).toBe(join(toolchains(), `go1.26.0.${platform}`, "bin"));
    expect(await readdir(toolchains())).toEqual([`go1.26.0.${platform}`]);
  });

  test("the programs of the module can be executed, its sources cannot", async () => {
    await ensureGo(hostWith([await fakeGo("old", "1.19.8")]));
    const folder = join(toolchains(), `go1.26.0.${platform}`);
    const executable = async (path: string) => ((await stat(join(folder, path))).mode & 0o111) > 0;
    for (const path of ["bin/go", "bin/gofmt", "pkg/tool/linux_amd64/compile"])
      expect(await executable(path), path).toBe(true);
    for (const path of ["src/cmd/main.go", "VERSION"])
      expect(await executable(path), path).toBe(false);
  });

  test("what was downloaded once is used again, also when the host's Go has gone", async () => {
    await ensureGo(hostWith([await fakeGo("old", "1.19.8")]));
    await rm(join(dir, "calls"));
    expect((await ensureGo(hostWith([await fakeGo("old", "1.19.8")]))).program).toBe(ownGo());
    expect(await calls()).toBe("version");
    expect((await ensureGo(hostWith([]))).program).toBe(ownGo());
  });

  test("two that download at once end with one toolchain", async () => {
    const host = hostWith([await fakeGo("old", "1.19.8")]);
    const both = await Promise.all([ensureGo(host), ensureGo(host)]);
    expect(both.map(({ program }) => program)).toEqual([ownGo(), ownGo()]);
    expect(await readdir(toolchains())).toEqual([`go1.26.0.${platform}`]);
  });

  test("what a killed download left is removed", async () => {
    await mkdir(join(toolchains(), "download.2147483647", "modules"), { recursive: true });
    await ensureGo(hostWith([await fakeGo("old", "1.19.8")]));
    expect(await readdir(toolchains())).toEqual([`go1.26.0.${platform}`]);
  });

  test("the package's Go where the host has none, and then its module", async () => {
    const programs: string[] = [];
    const go = await ensureGo(
      hostWith([], {
        programs: () => programs,
        installPackage: async () => {
          programs.push(await fakeGo("package", "1.19.8"));
        },
      }),
    );
    expect(go.program).toBe(ownGo());
  });

  test("the toolchain line of go.mod names what is downloaded", async () => {
    await writeFile(join(dir, "go.mod"), "module m\ngo 1.26.0\ntoolchain go1.26.8\n");
    const go = await ensureGo(hostWith([await fakeGo("old", "1.19.8")]));
    expect(go.program).toBe(ownGo("1.26.8"));
    const enough = await fakeGo("enough", "1.26.1");
    expect((await ensureGo(hostWith([enough]))).program).toBe(enough);
  });
});

describe("how the module is downloaded", () => {
  test("where no go.mod of anybody is read, into the project's own folder", async () => {
    await ensureGo(hostWith([await fakeGo("old", "1.19.8")]));
    const text = await environment();
    expect(text).toMatch(/^GO111MODULE=on$/m);
    expect(text).toMatch(/^GOTOOLCHAIN=local$/m);
    expect(text).toMatch(/^GOWORK=off$/m);
    expect(text).toMatch(new RegExp(`^GOMODCACHE=${toolchains()}/`, "m"));
    expect((await readFile(join(dir, "cwd"), "utf8")).startsWith(`${toolchains()}/`)).toBe(true);
    expect(await readFile(join(dir, "listing"), "utf8")).toContain("go.mod");
  });

  test("under the checksum database, unless the user says otherwise", async () => {
    const old = await fakeGo("old", "1.19.8");
    await ensureGo(hostWith([old]));
    expect(await environment()).not.toMatch(/^GO(NOSUMDB|SUMDB|NOSUMCHECK|INSECURE|PRIVATE)=/m);
    await rm(toolchains(), { recursive: true });
    const env = {
      PATH: process.env.PATH ?? "",
      GONOSUMDB: "golang.org/*",
      GOPROXY: "file:///mirror",
    };
    await ensureGo(hostWith([old], { env: { ...env, GOFLAGS: "-insecure -mod=vendor" } }));
    const text = await environment();
    expect(text).toMatch(/^GONOSUMDB=golang\.org\/\*$/m);
    expect(text).toMatch(/^GOPROXY=file:\/\/\/mirror$/m);
    expect(text).toMatch(/^GOFLAGS=-insecure -mod=vendor -mod=mod -modcacherw$/m);
  });

  test("a download that fails says so with what Go said, and leaves nothing", async () => {
    const offline = 'echo "go: module lookup disabled by GOPROXY=off" >&2; exit 1';
    const failure = ensureGo(hostWith([await fakeGo("old", "1.19.8", offline)]));
    await expect(failure).rejects.toMatchObject({
      message: expect.stringMatching(
        /^Go "1\.19\.8" is older than "1\.26\.0" of guest\/go\.mod, and the toolchain module .* could not be downloaded: go: module lookup disabled by GOPROXY=off$/,
      ),
      hint: expect.stringContaining("GOPROXY"),
    });
    expect(await readdir(toolchains())).toEqual([]);
  });

  test("a module that is not the toolchain it claims to be is not kept", async () => {
    const other = `mkdir -p "$GOMODCACHE/$4/bin"; printf '#!/bin/sh\\necho go version go1.2.3 x\\n' > "$GOMODCACHE/$4/bin/go"; exit 0`;
    const failure = ensureGo(hostWith([await fakeGo("old", "1.19.8", other)]));
    await expect(failure).rejects.toThrow(/"1\.2\.3"/);
    expect(await readdir(toolchains())).toEqual([]);
  });
});

describe("versions", () => {
  test("are compared as Go does", () => {
    const ordered = [
      "1.9",
      "1.19.8",
      "1.26beta1",
      "1.26rc1",
      "1.26rc2",
      "1.26.0",
      "1.26.10",
      "2.0.0",
    ];
    for (const [index, version] of ordered.entries()) {
      expect(compareGo(version, version)).toBe(0);
      for (const later of ordered.slice(index + 1)) {
        expect(compareGo(version, later), `${version} ${later}`).toBeLessThan(0);
        expect(compareGo(later, version), `${later} ${version}`).toBeGreaterThan(0);
      }
    }
  });

  test("come from the lines of go.mod", () => {
    expect(demandedGo("module m\n\ngo 1.26.0\n")).toEqual({ least: "1.26.0", fetch: "1.26.0" });
    expect(demandedGo("go 1.26 // why\r\n")).toEqual({ least: "1.26.0", fetch: "1.26.0" });
    expect(demandedGo("go 1.26.0\ntoolchain default\n").fetch).toBe("1.26.0");
    expect(demandedGo("go 1.26.4\ntoolchain go1.26.1\n").fetch).toBe("1.26.4");
    expect(demandedGo("go 1.27rc1\n").fetch).toBe("1.27rc1");
    expect(() => demandedGo("module m\n")).toThrow(/go\.mod/);
  });
});
