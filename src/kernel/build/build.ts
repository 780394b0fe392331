import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { MicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import { hostEnvironment } from "../../host/environment.ts";
import { requireProgramDir } from "../../host/program-dir.ts";
import { runTool } from "../../host/run-tool.ts";
import type { StateLayout } from "../../host/state-layout.ts";
import type { Arch } from "../../supervisor/port.ts";
import { identifyKernel } from "../formats/identify.ts";
import { sha256Of } from "../hash-file.ts";
import { publishKernel } from "../kernel-directory.ts";
import type { KernelRecord } from "../record.ts";
import { emptyScratchDir } from "../scratch-dir.ts";
import { type Apt, type AptPackage, openApt } from "../source/apt.ts";
import { followMetaPackage, unpackPackages } from "../source/package-source.ts";
import { soundRecord } from "../store.ts";
import { requireBuildTools } from "./build-tools.ts";
import { type BuildPlace, compile, configure } from "./compile.ts";
import { type Fragment, readFragment } from "./fragment.ts";

/** Raise when the way of building changes, so that finished builds are made again. */
const recipeRevision = 1;
const sourcePackages = /^linux-source-[0-9]/;

/**
 * Builds our own kernel from the distribution's source package and the fragment in `kernel/`, unless
 * the same fragment, source and compiler were built before. Takes minutes and about 2 GiB of the
 * cache directory, which are given back. Must run alone. `host_tool_missing`, `kernel_fetch_failed`,
 * `kernel_build_failed`, `host_unsupported`.
 */
export async function buildKernel(op: Op, layout: StateLayout, arch: Arch): Promise<KernelRecord> {
  const fragment = await requireFragment(arch);
  const compiler = await requireBuildTools(op);
  const apt = await openApt(layout);
  const source = await sourcePackage(op, apt);
  const name = buildName(fragment, source, compiler);
  const known = await soundRecord(op, layout, name);
  if (known !== null) return known;
  await using scratch = await emptyScratchDir(layout, "kernel-build");
  await requireProgramDir(scratch.path, {
    what: "a kernel build",
    hint: "Choose another --state-dir, or name another directory with MICROAGENT_CACHE_DIR",
  });
  const unpacked = await unpackPackages(op, apt, scratch.path, async (step) => [
    await sourcePackage(step, apt),
  ]);
  const built = unpacked[0] ?? source;
  const place = await unpackSource(op, layout, scratch.path);
  await op.step("configure", (step) => configure(step, place, fragment));
  op.report({
    kind: "note",
    text: `Building ${built.name} ${built.version}: this takes minutes`,
  });
  const { vmlinux, bzImage } = await op.step("compile", (step) => compile(step, place));
  const bytes = await readFile(vmlinux);
  return await publishKernel(op, layout, {
    name: buildName(fragment, built, compiler),
    source: "built",
    origin: `${built.name} ${built.version}`,
    sha256: sha256Of(bytes),
    kernel: { ...(await identifyKernel(op, bytes, vmlinux)), bzImage: await readFile(bzImage) },
    config: await readFile(join(place.source, ".config"), "utf8"),
    modules: null,
    build: { fragmentSha256: fragment.sha256, sourceVersion: built.version, compiler },
  });
}

async function requireFragment(arch: Arch): Promise<Fragment> {
  const fragment = await readFragment(arch);
  if (fragment === null || arch !== hostEnvironment.arch) {
    throw new MicroagentError(
      "host_unsupported",
      `No kernel of our own can be built for "${arch}" on this host`,
      { hint: "Use the distribution's: microagent kernel install" },
    );
  }
  return fragment;
}

async function sourcePackage(op: Op, apt: Apt): Promise<AptPackage> {
  const packages = await followMetaPackage(op, apt, ["linux-source"], sourcePackages);
  const [first] = packages;
  if (first === undefined) throw new MicroagentError("internal", "No source package was chosen");
  return first;
}

function buildName(fragment: Fragment, source: AptPackage, compiler: string): string {
  const key = [recipeRevision, fragment.sha256, source.sha256, compiler].join("\n");
  const version = /^[0-9]+(?:\.[0-9]+)*/.exec(source.version)?.[0] ?? "unknown";
  return `own-${version}-${sha256Of(key).slice(0, 12)}`;
}

async function unpackSource(op: Op, layout: StateLayout, scratch: string): Promise<BuildPlace> {
  const root = join(scratch, "usr", "src");
  const entries = await readdir(root, { recursive: true }).catch(() => []);
  const archive = entries.find((entry) => /(^|\/)linux-source-[^/]*\.tar\.[a-z0-9]+$/.test(entry));
  if (archive === undefined) {
    throw new MicroagentError("kernel_build_failed", "The source package holds no source archive");
  }
  const source = join(scratch, "source");
  await mkdir(source);
  const args = ["--extract", "--file", join(root, archive), "--directory", source];
  await op.step("unpack source", (step) => runTool(step, "tar", [...args, "--strip-components=1"]));
  await rm(root, { recursive: true, force: true });
  return {
    source,
    log: join(scratch, "build.log"),
    keptLog: join(layout.cache, "kernel-build.log"),
  };
}
