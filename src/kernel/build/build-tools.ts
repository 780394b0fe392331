import { MicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import { hostEnvironment } from "../../host/environment.ts";
import { findTool, runTool } from "../../host/run-tool.ts";

/** Programs a kernel build runs, and the Debian packages that bring them. */
const programs: readonly (readonly [program: string, packageName: string])[] = [
  ["make", "make"],
  ["gcc", "gcc"],
  ["ld", "binutils"],
  ["flex", "flex"],
  ["bison", "bison"],
  ["bc", "bc"],
  ["perl", "perl"],
  ["tar", "tar"],
  ["xz", "xz-utils"],
];
/** Headers it compiles against. */
const headers: readonly (readonly [header: string, packageName: string])[] = [
  ["stdlib.h", "libc6-dev"],
  ["libelf.h", "libelf-dev"],
];

/**
 * Checks that a kernel can be built here and returns the compiler's and linker's versions, which are
 * part of what the build depends on. `host_tool_missing` names every missing package at once.
 */
export async function requireBuildTools(op: Op): Promise<string> {
  const missing = new Set<string>();
  for (const [program, packageName] of programs) {
    if ((await findTool(program)) === null) missing.add(packageName);
  }
  if (!missing.has("gcc")) {
    for (const [header, packageName] of headers) {
      if (!(await hasHeader(op, header))) missing.add(packageName);
    }
  } else {
    for (const [, packageName] of headers) missing.add(packageName);
  }
  if (missing.size > 0) throw toolsMissing([...missing]);
  const versions = await Promise.all(
    ["gcc", "ld"].map((program) => runTool(op, program, ["--version"])),
  );
  return versions.map(({ stdout }) => stdout.split("\n")[0] ?? "").join("; ");
}

async function hasHeader(op: Op, header: string): Promise<boolean> {
  try {
    await runTool(op, "gcc", ["-fsyntax-only", "-x", "c", "-"], {
      input: `#include <${header}>\n`,
    });
    return true;
  } catch {
    op.check();
    return false;
  }
}

function toolsMissing(packages: readonly string[]): MicroagentError {
  const install = `apt-get install --yes ${packages.join(" ")}`;
  return new MicroagentError(
    "host_tool_missing",
    `Building the kernel needs packages that are not installed: ${packages.join(", ")}`,
    {
      hint: `Install them with: ${hostEnvironment.uid === 0 ? install : `sudo ${install}`}`,
      details: { packages },
    },
  );
}
