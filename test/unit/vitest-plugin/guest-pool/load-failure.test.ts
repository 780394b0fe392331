import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadedVersions, loadFailure } from "../../../../vitest-plugin/guest-pool/load-failure.ts";

const versions = "Vitest 5.1.2 with Vite 8.4.0";
const trace = `node:internal/modules/package_json_reader:316
  throw new ERR_MODULE_NOT_FOUND(packageName, fileURLToPath(base), null);
        ^

Error [ERR_MODULE_NOT_FOUND]: Cannot find package '@rolldown/runtime' imported from /p/node_modules/vite/dist/node/module-runner.js
    at Object.getPackageJSONURL (node:internal/modules/package_json_reader:316:9) {
  code: 'ERR_MODULE_NOT_FOUND'
}
`;

test("a package that is missing in the machine is named, with what brings it there", () => {
  const { message, hint } = loadFailure(versions, "1", trace);
  expect(message).toBe(
    `${versions} does not load in the machine: Cannot find package '@rolldown/runtime' imported from /p/node_modules/vite/dist/node/module-runner.js`,
  );
  expect(hint).toBe('Install it and name it: microvmPool({ packages: ["@rolldown/runtime"] })');
});

test("another reason is Node's own, with all that was printed", () => {
  const printed =
    "file:///p/x.js:1\nTypeError: worker.init is not a function\n    at file:///p/x.js:1:1\n";
  const { message, hint } = loadFailure(versions, "1", printed);
  expect(message).toBe(`${versions} does not load in the machine: worker.init is not a function`);
  expect(hint).toBe(
    "file:///p/x.js:1; TypeError: worker.init is not a function; at file:///p/x.js:1:1",
  );
});

test("a worker that says nothing leaves its exit code", () => {
  expect(loadFailure(versions, "137", "").message).toBe(
    `${versions} does not load in the machine: the worker ended with exit code 137`,
  );
});

test("versions are those of the installed packages", async () => {
  const root = await mkdtemp(join(tmpdir(), "microagent-versions-"));
  try {
    const install = async (name: string, version: string) => {
      await mkdir(join(root, "node_modules", name, "dist"), { recursive: true });
      const manifest = JSON.stringify({ name, version });
      await writeFile(join(root, "node_modules", name, "package.json"), manifest);
    };
    await install("vitest", "5.9.0");
    const dist = join(root, "node_modules", "vitest", "dist");
    expect(await loadedVersions(dist)).toBe("Vitest 5.9.0 with Vite (not installed)");
    await install("vite", "8.4.0");
    expect(await loadedVersions(dist)).toBe("Vitest 5.9.0 with Vite 8.4.0");
  } finally {
    await rm(root, { recursive: true });
  }
});
