import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { delimiter, isAbsolute, join, resolve } from "node:path";
import { MicroagentError } from "../base/errors.ts";
import { hostEnvironment } from "./environment.ts";

/** Debian package that brings a program, where the names differ. */
const packages: Readonly<Record<string, string>> = {
  "qemu-system-x86_64": "qemu-system-x86",
  "qemu-system-aarch64": "qemu-system-arm",
  setpriv: "util-linux",
  mke2fs: "e2fsprogs",
  e2fsck: "e2fsprogs",
  debugfs: "e2fsprogs",
  "fsck.erofs": "erofs-utils",
  "apt-get": "apt",
  "apt-cache": "apt",
  "dpkg-deb": "dpkg",
  gcc: "build-essential",
  ld: "binutils",
  xz: "xz-utils",
};

/** Debian package that brings a program. */
export function packageOf(tool: string): string {
  return packages[tool] ?? tool;
}

/** The command that installs what brings `tool` on Debian and Ubuntu. */
export function installHint(tool: string): string {
  if (hostEnvironment.platform === "darwin") return `brew install ${packages[tool] ?? tool}`;
  const command = `apt-get install --yes ${packages[tool] ?? tool}`;
  return hostEnvironment.uid === 0 ? command : `sudo ${command}`;
}

/**
 * Absolute path of a program: a name is looked up in PATH and then in the system's administration
 * directories (which ordinary users often lack), a path is checked. Null when there is none.
 */
export async function findTool(name: string): Promise<string | null> {
  if (name.includes("/")) {
    const path = isAbsolute(name) ? name : resolve(name);
    return (await isProgram(path)) ? path : null;
  }
  const path = hostEnvironment.env("PATH") ?? "/usr/bin:/bin";
  for (const dir of [...path.split(delimiter), "/usr/sbin", "/sbin"]) {
    if (isAbsolute(dir) && (await isProgram(join(dir, name)))) return join(dir, name);
  }
  return null;
}

/** As `findTool`, but a missing program is `host_tool_missing` with the command that installs it. */
export async function requireTool(name: string): Promise<string> {
  const path = await findTool(name);
  if (path !== null) return path;
  throw new MicroagentError("host_tool_missing", `Program "${name}" is not installed`, {
    hint: `Install it with: ${installHint(name)}`,
    details: { tool: name },
  });
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
