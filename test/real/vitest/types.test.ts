import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { type Major, openVitestProject } from "../../fixtures/vitest-host.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const modules = join(root, "node_modules");

test.each<[Major]>([[4], [5]])("types hold under Vitest %i", async (major) => {
  await using project = await openVitestProject(major, "types");
  const compilerOptions = {
    module: "nodenext",
    moduleResolution: "nodenext",
    strict: true,
    target: "es2023",
    lib: ["es2023", "esnext.disposable", "dom"],
    noEmit: true,
    skipLibCheck: true,
    exactOptionalPropertyTypes: true,
    types: ["node"],
    typeRoots: [join(modules, "@types")],
  };
  const config = join(project.dir, "tsconfig.json");
  await writeFile(config, JSON.stringify({ compilerOptions, files: ["types.ts"] }));
  const tsc = join(modules, "typescript", "bin", "tsc");
  const checked = await promisify(execFile)(process.execPath, [tsc, "-p", config]).catch(
    (error: { readonly stdout: string }) => error,
  );
  expect(checked.stdout).toBe("");
});
