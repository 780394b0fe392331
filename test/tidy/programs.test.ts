import { basename } from "node:path";
import { expect, test } from "vitest";
import { clientServerPieces, runtimePieces, testPieces } from "../../scripts/host-packages.mjs";
import { read, select } from "./repository.ts";

/** Of packages that every Debian and Ubuntu has, and of Node. Go comes from `ensureGo` of `scripts/find-go.mjs`. */
const always = new Set(
  "sh bash cat chmod cp dd echo env false find grep kill ldd ls mkdir mkfifo mount mv rm sed setpriv sha256sum sleep stat sync tar true umount unshare wait node npm npx printf".split(
    " ",
  ),
);

/** A program as the first argument of something that starts one, or as an absolute path. */
const named =
  /(?:\b(?:exec|run|spawn|execFile)(?:File)?(?:Sync)?\)?|promisify\(execFile\)\))\(\s*"([a-z][a-z0-9.+-]*)"|"(\/(?:usr\/)?s?bin\/[a-z0-9._+-]+)"/g;

const onlyForClients = /^test\/(clients\/|fixtures\/(client-service|package-registries))/;

test("every program that a test starts is one that the test command installs", () => {
  const installed = new Set(
    [...runtimePieces, ...testPieces].flatMap(({ program, file }) =>
      [program, file].filter((path) => path !== undefined).map((path) => basename(path)),
    ),
  );
  installed.add("microagent"); // The action's, put on PATH by the action under test.
  // Of packages listed above under another of their programs.
  for (const program of ["e2fsck", "debugfs", "dumpe2fs", "mkfs.ext4"]) installed.add(program);
  const started = select(["test", "bench"], [".ts"])
    .filter((path) => !path.startsWith("test/unit/scripts/"))
    .flatMap((path) =>
      [...read(path).matchAll(named)].map(([, name, file]) => ({
        path,
        program: name ?? basename(file ?? ""),
      })),
    );
  expect(started.length).toBeGreaterThan(20);
  // What `npm run clients` installs, for what only it starts.
  const ofClients = new Set(clientServerPieces.map(({ program }) => program));
  for (const program of ["mariadb-install-db", "ssh-keygen", "dpkg-deb"]) ofClients.add(program);
  const mayStart = (path: string, program: string) =>
    always.has(program) ||
    installed.has(program) ||
    (onlyForClients.test(path) && ofClients.has(program));
  const unknown = started.filter(({ path, program }) => !mayStart(path, program));
  expect(unknown).toEqual([]);
});
