import { isUtf8 } from "node:buffer";
import { constants, type Stats } from "node:fs";
import { type FileHandle, open, readdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { errnoOf, isMicroagentError, MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Op } from "../base/op.ts";
import { problemsOfIssues } from "./issue-complaints.ts";
import { nearestName } from "./nearest.ts";
import { type Problem, specError } from "./problem.ts";
import { notesAt } from "./schema/field-lookup.ts";
import { type SpecFile, specSchema } from "./schema/spec-schema.ts";
import { hiddenRanges } from "./secret-ranges.ts";
import { SpecSource } from "./source.ts";
import { checkSpecFile } from "./spec-checks.ts";
import { composeYaml, emptyFile } from "./yaml/compose.ts";
import { secretLookingRanges } from "./yaml/hide-secrets.ts";
import { walkDocument } from "./yaml/walk.ts";

/** A valid spec file: its fields as written, their places, and what relative paths start from. */
export interface LoadedSpec {
  readonly spec: SpecFile;
  readonly source: SpecSource;
  /** Absolute directory. */
  readonly baseDir: string;
}

/** Reads and checks a spec file. Fails with `spec_not_found` or `spec_invalid`. */
export async function loadSpec(op: Op, path: string): Promise<LoadedSpec> {
  const bytes = await op.race(readSpecFile(path));
  return parseSpec(textOf(path, bytes), path, dirname(resolve(path)));
}

/**
 * Checks the text of a spec file; `fileName` is used in errors only. Fails with `spec_invalid`,
 * whose details hold every problem with its place (see `problemsOf`).
 */
export function parseSpec(text: string, fileName: string, baseDir: string): LoadedSpec {
  const content = text.startsWith("\ufeff") ? text.slice(1) : text;
  if (Buffer.byteLength(content) > limits.spec.fileBytesMax) throw tooLarge(fileName);
  const document = composeYaml(fileName, content);
  const { value, fields, complaints } = walkDocument(document, {
    plainScalar: (path) => notesAt(path)?.plainScalars === true,
    secret: (path) => notesAt(path)?.secret === true,
  });
  // What a complaint stopped us from walking can only be hidden by its looks.
  const unwalked = complaints.length > 0 ? secretLookingRanges(content) : [];
  const hidden = [...hiddenRanges(value, fields), ...unwalked];
  const source = new SpecSource(fileName, content, fields, hidden);

  refuse(complaints.map(({ range, path, complaint }) => source.problemAt(range, path, complaint)));
  if (value === undefined || value === null) refuse([source.problem([], "value", emptyFile)]);
  const parsed = specSchema.safeParse(value);
  if (!parsed.success) {
    const { problems, count } = problemsOfIssues(parsed.error.issues, value, source);
    refuse(problems, count);
  }
  const spec = parsed.data as SpecFile;
  refuse(
    checkSpecFile(spec).map(({ place, at, sentence, hint }) =>
      source.problem(place.kind === "spec" ? place.path : [], at, { sentence, hint }),
    ),
  );
  return { spec, source, baseDir };
}

function refuse(problems: readonly Problem[], count = problems.length): void {
  const inOrder = [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
  const [first, ...rest] = inOrder;
  if (first !== undefined) throw specError([first, ...rest], count);
}

async function readSpecFile(path: string): Promise<Uint8Array> {
  let file: FileHandle;
  try {
    // Without O_NONBLOCK a named pipe would keep us waiting for a writer.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw await unreadable(path, error);
  }
  try {
    const stats: Stats = await file.stat();
    if (!stats.isFile()) {
      throw new MicroagentError(
        "spec_not_found",
        `"${path}" is ${stats.isDirectory() ? "a directory" : "no regular file"}: wanted a spec file`,
        stats.isDirectory() ? { hint: `Name the file, for example ${path}/microagent.yaml` } : {},
      );
    }
    if (stats.size > limits.spec.fileBytesMax) throw tooLarge(path);
    return await file.readFile();
  } catch (error) {
    throw await unreadable(path, error);
  } finally {
    await file.close();
  }
}

async function unreadable(path: string, error: unknown): Promise<unknown> {
  if (isMicroagentError(error)) return error;
  const errno = errnoOf(error);
  if (errno === undefined) return error;
  if (errno === "ENOENT" || errno === "ENOTDIR") {
    return new MicroagentError("spec_not_found", `Spec file "${path}" does not exist`, {
      cause: error,
      hint: await specsBeside(path),
    });
  }
  return new MicroagentError("spec_not_found", `Spec file "${path}" cannot be read (${errno})`, {
    cause: error,
  });
}

/** What the caller may have meant: the spec files where he looked for one. */
async function specsBeside(path: string): Promise<string> {
  const dir = dirname(path);
  const names = (await readdir(dir).catch(() => [])).filter((name) => /\.ya?ml$/.test(name));
  const nearest = nearestName(basename(path), names);
  if (nearest !== null) return `Did you mean "${join(dir, nearest)}"?`;
  const [first] = names.sort();
  return first === undefined
    ? `Directory "${resolve(dir)}" has no spec file; docs/spec-file.md shows how one looks`
    : `Directory "${resolve(dir)}" has "${first}"${names.length > 1 ? ` and ${names.length - 1} more` : ""}`;
}

function tooLarge(file: string): MicroagentError {
  const { fileBytesMax } = limits.spec;
  return new MicroagentError(
    "spec_invalid",
    `Spec file "${file}" is larger than ${fileBytesMax / 1024} KiB: wanted a smaller one`,
    {
      hint: "Copy large content in with files, or put it into the image",
      details: { fileBytesMax },
    },
  );
}

function textOf(path: string, bytes: Uint8Array): string {
  if (isUtf8(bytes)) return new TextDecoder().decode(bytes);
  const [first, second] = bytes;
  const wide = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  const text = new TextDecoder().decode(bytes);
  // The place of the first byte that is not UTF-8; the characters before it are sound.
  const at = wide ? 0 : Math.max(0, text.indexOf("\ufffd"));
  const source = new SpecSource(path, wide ? "" : text, new Map(), [
    { start: 0, end: text.length },
  ]);
  throw specError([
    source.problemAt({ start: at, end: at + 1 }, "", {
      sentence: wide
        ? "The file is encoded as UTF-16: wanted UTF-8"
        : "A byte here is not UTF-8: wanted a text in UTF-8",
      wanted: "UTF-8",
      hint: "Save the file as UTF-8",
    }),
  ]);
}
