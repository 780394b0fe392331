import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { errnoOf, MicroagentError } from "../base/errors.ts";
import { jsonOrNull } from "../base/json.ts";
import { limits } from "../base/limits.ts";
import { fileError } from "../host/file-error.ts";
import { writeFileAtomic } from "../host/files.ts";

/*
 * `kernel.json` describes one directory of the kernel store. It is written last into a directory
 * that is then renamed into place, so a directory with a record is complete.
 */

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
/** A plain name: a record must not point outside its own directory. */
const fileName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/);
const storedFile = z.strictObject({ file: fileName, bytes: z.int().nonnegative(), sha256 });
const storedModule = storedFile.extend({ phase: z.enum(["boot", "extra"]) });

const kernelRecord = z.strictObject({
  schema: z.literal(1),
  name: fileName,
  source: z.enum(["built", "apt", "path", "url"]),
  /** Package and version, path or address, for people. */
  origin: z.string(),
  flavor: z.enum(["own", "distribution"]),
  version: z.string(),
  arch: z.enum(["x86_64", "aarch64"]),
  /** Timer frequency of the build. */
  hz: z.int().positive(),
  /** Of the file the kernel came from. */
  sha256,
  installedAt: z.iso.datetime(),
  files: z.strictObject({
    bzImage: storedFile.nullable(),
    vmlinux: storedFile.nullable(),
    image: storedFile.nullable(),
    config: storedFile.nullable(),
  }),
  modules: z.array(storedModule),
  /** `wantedModulesRevision` the modules were chosen by; null where modules are not ours to choose. */
  modulesRevision: z.int().nullable(),
  /** What went into a kernel of our own. */
  build: z
    .strictObject({ fragmentSha256: sha256, sourceVersion: z.string(), compiler: z.string() })
    .nullable(),
  /** What a user of this kernel should know, one sentence each. */
  notes: z.array(z.string()),
});

export type KernelRecord = z.infer<typeof kernelRecord>;
export type StoredFile = z.infer<typeof storedFile>;
export type StoredModule = z.infer<typeof storedModule>;

export const recordFileName = "kernel.json";
export const modulesDirName = "modules";

/** Reads a kernel directory's record; null when there is none, `store_corrupt` when it is no record. */
export async function readRecord(directory: string): Promise<KernelRecord | null> {
  const path = join(directory, recordFileName);
  const text = await readText(path);
  if (text === null) return null;
  const parsed = kernelRecord.safeParse(jsonOrNull(text));
  if (parsed.success) return parsed.data;
  const first = parsed.error.issues[0];
  throw new MicroagentError(
    "store_corrupt",
    `Kernel record "${path}" cannot be read: ${first === undefined ? "no JSON" : `${first.path.join(".")}: ${first.message}`}`,
    { hint: `Remove it with: rm -r "${directory}"`, details: { path } },
  );
}

/** Writes the record; call it last. */
export async function writeRecord(directory: string, record: KernelRecord): Promise<void> {
  const text = `${JSON.stringify(kernelRecord.parse(record), null, 2)}\n`;
  await writeFileAtomic(join(directory, recordFileName), text);
}

/** Every file a record promises, with its absolute path. */
export function promisedFiles(
  directory: string,
  record: KernelRecord,
): { readonly path: string; readonly bytes: number; readonly sha256: string }[] {
  const { bzImage, vmlinux, image, config } = record.files;
  const kept = [bzImage, vmlinux, image, config].filter((file) => file !== null);
  return [
    ...kept.map((file) => ({ ...file, path: join(directory, file.file) })),
    ...record.modules.map((file) => ({
      ...file,
      path: join(directory, modulesDirName, file.file),
    })),
  ];
}

async function readText(path: string): Promise<string | null> {
  try {
    const { size } = await stat(path);
    if (size > limits.kernel.recordBytesMax) {
      throw new MicroagentError("store_corrupt", `Kernel record "${path}" has ${size} bytes`);
    }
    return await readFile(path, "utf8");
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR") return null;
    throw fileError(error, `Kernel record "${path}" cannot be read`);
  }
}
