// Compiles the floor's init, when its source changed.
import { createHash } from "node:crypto";
import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runProgram } from "../tools.mjs";

const source = fileURLToPath(new URL("./init.c", import.meta.url));

/** Path of the static binary. */
export async function buildFloor(folder) {
  const hash = createHash("sha256")
    .update(await readFile(source))
    .digest("hex");
  const path = join(folder, `floor-init-${hash.slice(0, 16)}`);
  const there = await access(path).then(
    () => true,
    () => false,
  );
  if (!there) await runProgram("gcc", ["-static", "-O2", "-s", "-Wall", "-o", path, source]);
  return path;
}
