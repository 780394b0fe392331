import { expect, test } from "vitest";
import { importsOf, packageOf } from "./imports.ts";
import { type Room, rooms } from "./layers.ts";
import { exists, read, select, shipped } from "./repository.ts";

/** The action is no part of the package, and still only a surface. */
const checked = [...shipped, ...select(["action"], [".ts"])];

function roomOf(path: string): Room | undefined {
  return rooms
    .filter((room) => path === room.path || path.startsWith(`${room.path}/`))
    .sort((a, b) => b.path.length - a.path.length)[0];
}

function complaints(path: string): string[] {
  const room = roomOf(path);
  if (room === undefined) return [`${path} is in no room of test/tidy/layers.ts`];
  return importsOf(path, read(path)).flatMap(({ specifier, target }) => {
    if (target !== null) {
      const other = roomOf(target);
      if (other === room) return [];
      if (other !== undefined && room.rooms.includes(other.path)) return [];
      return [`${path} imports "${specifier}": ${room.path} may not know ${other?.path ?? target}`];
    }
    if (specifier.startsWith("node:")) {
      if (room.banned?.includes(specifier) !== true) return [];
      return [`${path} imports "${specifier}": ${room.path} does not touch it`];
    }
    if (room.packages.includes(packageOf(specifier))) return [];
    return [`${path} imports "${specifier}": ${room.path} may not use that package`];
  });
}

test("imports point down, types included", () => {
  expect(checked.flatMap(complaints)).toEqual([]);
});

test("every relative import names its file with the ending .ts", () => {
  const wrong = checked.flatMap((path) =>
    importsOf(path, read(path))
      .filter(({ target }) => target !== null && !target.endsWith(".ts"))
      .map(({ specifier }) => `${path} imports "${specifier}"`),
  );
  expect(wrong).toEqual([]);
});

test("a room's permissions name rooms that are in the table", () => {
  const known = new Set(rooms.map((room) => room.path));
  const unknown = rooms.flatMap((room) => room.rooms.filter((other) => !known.has(other)));
  expect(unknown).toEqual([]);
});

test("the table and the importer see what they must", () => {
  expect(importsOf("src/host/a.ts", 'import type { X } from "../base/x.ts";\n')).toEqual([
    { specifier: "../base/x.ts", target: "src/base/x.ts" },
  ]);
  expect(importsOf("src/a.ts", 'const m = () => import("./b.ts");\n')[0]?.target).toBe("src/b.ts");
  expect(importsOf("src/a.ts", 'import {\n  a,\n  b,\n} from "zod";\n')[0]?.specifier).toBe("zod");
  expect(importsOf("src/a.ts", 'export { a } from "./b.ts";\n')[0]?.target).toBe("src/b.ts");
  expect(roomOf("src/supervisor/port.ts")?.path).toBe("src/supervisor/port.ts");
  expect(roomOf("src/supervisor/select.ts")?.path).toBe("src/supervisor");
  expect(exists("src/base/errors.ts")).toBe(true);
});
