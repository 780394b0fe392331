import { appendFile, copyFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { isMicroagentError, MicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import { hostEnvironment } from "../../host/environment.ts";
import { runTool } from "../../host/run-tool.ts";
import { type Fragment, lostLines } from "./fragment.ts";

/** Where a build works and writes. */
export interface BuildPlace {
  /** Top of the kernel's source tree; the build happens inside, so that no path enters the result. */
  readonly source: string;
  /** Everything the build prints. */
  readonly log: string;
  /** Where the log is kept when the build fails. */
  readonly keptLog: string;
}

/** What would otherwise differ between two builds of the same thing. */
const reproducible = {
  KBUILD_BUILD_TIMESTAMP: "Thu Jan  1 00:00:00 UTC 1970",
  KBUILD_BUILD_USER: "microagent",
  KBUILD_BUILD_HOST: "microagent",
  KBUILD_BUILD_VERSION: "1",
  SOURCE_DATE_EPOCH: "0",
  TZ: "UTC",
} as const;
const pollMs = 1_000;

/** Makes the configuration; a requested line that the source does not keep is `kernel_build_failed`. */
export async function configure(op: Op, place: BuildPlace, fragment: Fragment): Promise<void> {
  const path = join(place.source, ".config");
  await make(op, place, ["tinyconfig"]);
  await appendFile(path, fragment.text);
  await make(op, place, ["olddefconfig"]);
  const lost = lostLines(fragment.text, await readFile(path, "utf8"));
  if (lost.length === 0) return;
  throw new MicroagentError(
    "kernel_build_failed",
    `The kernel source does not take ${lost.map((line) => `"${line}"`).join(", ")} of "${fragment.path}"`,
    {
      hint: "Another option they depend on is missing, or this source has no such option",
      details: { lost },
    },
  );
}

/** Compiles both forms of the kernel and returns their paths. */
export async function compile(
  op: Op,
  place: BuildPlace,
): Promise<{ readonly vmlinux: string; readonly bzImage: string }> {
  const stop = new AbortController();
  const reporting = reportProgress(op, place.log, stop.signal);
  try {
    await make(op, place, [`-j${hostEnvironment.cpuCount}`, "vmlinux", "bzImage"]);
  } finally {
    stop.abort();
    await reporting;
  }
  const vmlinux = join(place.source, "vmlinux.stripped");
  await runTool(op, "strip", ["--strip-all", "-o", vmlinux, join(place.source, "vmlinux")]);
  return { vmlinux, bzImage: join(place.source, "arch/x86/boot/bzImage") };
}

async function make(op: Op, place: BuildPlace, args: readonly string[]): Promise<void> {
  const script = 'log=$1; shift; exec nice make "$@" >>"$log" 2>&1';
  try {
    await runTool(op, "sh", ["-c", script, "sh", place.log, ...args], {
      cwd: place.source,
      env: reproducible,
    });
  } catch (error) {
    op.check();
    if (!isMicroagentError(error) || error.code !== "host_tool_failed") throw error;
    throw await buildFailed(place, args, error);
  }
}

async function buildFailed(
  place: BuildPlace,
  args: readonly string[],
  cause: unknown,
): Promise<MicroagentError> {
  const log = await readFile(place.log, "utf8").catch(() => "");
  await copyFile(place.log, place.keptLog).catch(() => {});
  const lines = log.split("\n").filter((line) => line !== "");
  const first = lines.find((line) => /(\berror:|\*\*\*|not found|No space)/i.test(line));
  const reason = (first ?? lines.at(-1) ?? "no output").trim();
  const full = /No space left/.test(log);
  return new MicroagentError(
    full ? "no_space" : "kernel_build_failed",
    `Step "make ${args.join(" ")}" of the kernel build failed: ${reason}`,
    {
      cause,
      hint: `The whole log is "${place.keptLog}"`,
      details: { tail: lines.slice(-20) },
    },
  );
}

/** Counts what the build has printed so far, once a second, until told to stop. */
async function reportProgress(op: Op, log: string, stop: AbortSignal): Promise<void> {
  while (!stop.aborted && !op.signal.aborted) {
    const text = await readFile(log, "latin1").catch(() => "");
    const done = text.match(/^ {2}(CC|AS|LD|AR|OBJCOPY) /gm)?.length ?? 0;
    op.report({ kind: "amount", label: "kernel", done, total: null, unit: "items" });
    await untilStopped(op, stop);
  }
}

function untilStopped(op: Op, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      cancel();
      stop.removeEventListener("abort", done);
      resolve();
    };
    const cancel = op.clock.after(pollMs, done);
    stop.addEventListener("abort", done);
  });
}
