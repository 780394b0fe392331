import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { type Major, openVitestProject, vitestHost } from "../../fixtures/vitest-host.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const modules = join(root, "node_modules");

const compilers = {
  "this repository's": modules,
  "the one before": join(vitestHost(5), "node_modules"),
};

test.each<[Major, keyof typeof compilers]>([
  [4, "this repository's"],
  [5, "this repository's"],
  [4, "the one before"],
  [5, "the one before"],
])("types hold under Vitest %i and the compiler that is %s", async (major, compiler) => {
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
  const tsc = join(compilers[compiler], "typescript", "bin", "tsc");
  const checked = await promisify(execFile)(process.execPath, [tsc, "-p", config]).catch(
    (error: { readonly stdout: string }) => error,
  );
  expect(checked.stdout).toBe("");
});
