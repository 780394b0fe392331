import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { isMicroagentError, MicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import { fileError } from "../../host/file-error.ts";
import { requireTool, runTool } from "../../host/run-tool.ts";
import { type GuestArchitecture, ociArchitecture } from "../architecture.ts";
import { sha256Of } from "../digest.ts";
import { mediaTypes } from "../manifest.ts";
import type { MmdebstrapReference } from "../reference/kinds.ts";
import { formatReference } from "../reference.ts";
import { buildDir, buildWay } from "./build-way.ts";
import { hostApt } from "./host-apt.ts";
import { mmdebstrapHint } from "./mmdebstrap-hint.ts";
import type { ImageSource } from "./source.ts";
import { makeManifest, stagedSource } from "./staged.ts";

/**
 * Newer files get this modification time, so that the same packages give the same bytes on any day.
 * 2025-01-01T00:00:00Z, in seconds.
 */
const sourceDateEpoch = 1_735_689_600;

const created = new Date(sourceDateEpoch * 1000).toISOString();

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Builds a root from the distribution's signed packages into `stagingDir` and offers it as an image of one
 * layer. Works as root and as an ordinary user. `host_tool_missing` without mmdebstrap, `host_tool_failed` with its
 * last words.
 */
export async function mmdebstrapSource(
  op: Op,
  reference: MmdebstrapReference,
  arch: GuestArchitecture,
  stagingDir: string,
): Promise<ImageSource> {
  const name = formatReference(reference);
  op.report({ kind: "note", text: `Building ${name} from packages; this takes a minute` });
  const tar = join(stagingDir, "root.tar");
  await op.step("mmdebstrap", (step) => build(step, reference, arch, stagingDir, tar));
  const layer = await op.step("digest", (step) => describe(step, tar));

  const config = new TextEncoder().encode(
    JSON.stringify({
      created,
      architecture: ociArchitecture(arch),
      os: "linux",
      config: { Env: [`PATH=${defaultPath}`], Cmd: ["/bin/sh"], WorkingDir: "/" },
      rootfs: { type: "layers", diff_ids: [layer.digest] },
      history: [{ created, created_by: name }],
    }),
  );
  const configDescriptor = {
    mediaType: mediaTypes.ociConfig,
    digest: sha256Of(config),
    size: config.length,
  };
  const inner = stagedSource(
    "mmdebstrap",
    `Image "${name}"`,
    makeManifest(configDescriptor, [
      { mediaType: mediaTypes.ociLayer, digest: layer.digest, size: layer.size },
    ]),
    new Map([[layer.digest, { path: tar, size: layer.size }]]),
    (path) => readFile(path),
  );
  return {
    ...inner,
    blob: (step, store, descriptor) =>
      descriptor.digest === configDescriptor.digest
        ? store.blobs.put(descriptor.digest, config)
        : inner.blob(step, store, descriptor),
  };
}

async function build(
  op: Op,
  reference: MmdebstrapReference,
  arch: GuestArchitecture,
  stagingDir: string,
  tar: string,
): Promise<void> {
  await requireTool("mmdebstrap");
  const way = await buildWay(op);
  const workDir = await buildDir(way, [stagingDir]);
  const apt = await hostApt(op, reference, stagingDir);
  const [program = "mmdebstrap", ...words] = way.words;
  const args = [
    ...words,
    `--variant=${reference.variant}`,
    `--architectures=${ociArchitecture(arch)}`,
    `--components=${reference.components.join(",")}`,
    "--format=tar",
    ...(reference.include.length === 0 ? [] : [`--include=${reference.include.join(",")}`]),
    ...apt.options,
    reference.suite,
    tar,
    ...apt.mirrors,
  ];
  try {
    await runTool(op, program, args, {
      cwd: "/",
      env: {
        SOURCE_DATE_EPOCH: String(sourceDateEpoch),
        DEBIAN_FRONTEND: "noninteractive",
        TMPDIR: workDir,
      },
    });
  } catch (error) {
    throw explain(error, reference);
  }
}

/** mmdebstrap's first error line says what went wrong; its last one only that something did. */
function explain(error: unknown, reference: MmdebstrapReference): unknown {
  if (!isMicroagentError(error) || error.code !== "host_tool_failed") return error;
  const { stderr: tail } = error.details;
  const stderr = typeof tail === "string" ? tail : "";
  if (/no space left on device/i.test(stderr)) {
    return new MicroagentError("no_space", "Building the image with mmdebstrap filled the disk", {
      cause: error,
      hint: "Free some space in TMPDIR and in the state directory",
    });
  }
  const line = stderr.split("\n").find((text) => /^E: (?!apt-get|.*failed:)/.test(text));
  const missing = /Unable to locate package (\S+)/.exec(stderr);
  return new MicroagentError(
    missing === null ? "host_tool_failed" : "image_not_found",
    missing === null
      ? `Image "${formatReference(reference)}" could not be built: ${(line ?? error.message).replace(/^E: /, "")}`
      : `Package "${missing[1]}" does not exist in suite "${reference.suite}" (${reference.components.join(", ")})`,
    { cause: error, hint: mmdebstrapHint(stderr), details: { ...error.details } },
  );
}

async function describe(op: Op, path: string): Promise<{ digest: string; size: number }> {
  try {
    const { size } = await stat(path);
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
      op.check();
      hash.update(chunk as Uint8Array);
    }
    return { digest: `sha256:${hash.digest("hex")}`, size };
  } catch (error) {
    throw fileError(error, `File "${path}" cannot be read`);
  }
}
