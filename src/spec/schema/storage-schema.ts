import type { z } from "zod";
import {
  isGuestFile,
  isGuestPath,
  isGuestPathBelowRoot,
  isHostPath,
  isOctalMode,
  isSafeName,
} from "./checks.ts";
import { choice, list, mapping, text } from "./field-notes.ts";

const safeName = 'a name of letters, digits, ".", "_" and "-", at most 63 long';

/** `files[]`: one host file that is copied into the guest. */
const fileSchema = mapping(
  { doc: "A host file that is copied into the guest before the command runs" },
  {
    src: text(
      {
        doc: "Regular file on the host, relative to the spec file or absolute; a link is followed",
        wanted: "the path of a host file",
      },
      isHostPath,
    ),
    dst: text(
      {
        doc: "Where it goes in the guest",
        wanted: 'an absolute guest file path such as "/app/main.py"',
      },
      isGuestFile,
    ),
    mode: text(
      {
        doc: "Permission bits as an octal text",
        wanted: 'an octal text in quotes such as "0644"',
        defaultText: "the source's bits & 0644",
        editor: { pattern: "^0?[0-7]{3,4}$" },
      },
      isOctalMode,
    ).optional(),
  },
);

export const filesSchema = list(
  {
    doc: "Host files to copy into the guest; their content is read once",
    wanted: "a list of {src, dst, mode}",
    defaultText: "[]",
  },
  fileSchema,
);

function diskShape(nameDoc: string, pathDoc: string) {
  return {
    name: text({ doc: nameDoc, wanted: safeName }, isSafeName),
    path: text({ doc: pathDoc, wanted: "the path of a host file" }, isHostPath),
    mountpoint: text(
      {
        doc: "Where the guest mounts it; unique",
        wanted: 'an absolute guest path such as "/data"',
      },
      isGuestPathBelowRoot,
    ),
    mode: choice(["ro", "rw"], { doc: "Read-only or writable" }),
    sourcePath: text(
      { doc: "Where the disk was made from, for the record", wanted: "a host path" },
      isHostPath,
    ).optional(),
  };
}

const diskSchema = mapping(
  { doc: "An ext4 disk image" },
  diskShape(
    'Unique name; not "rootfs" or "config"',
    "Disk image on the host, relative to the spec file or absolute",
  ),
);

const bundleSchema = mapping(
  { doc: "A disk built from a tar archive" },
  diskShape(
    'Unique name; not "rootfs"',
    "Tar archive on the host, relative to the spec file or absolute",
  ),
);

export const disksSchema = list(
  {
    doc: "Existing ext4 disks to attach",
    wanted: "a list of {name, path, mountpoint, mode}",
    defaultText: "[]",
  },
  diskSchema,
);

export const bundlesSchema = list(
  {
    doc: "Disks built from tar archives",
    wanted: "a list of {name, path, mountpoint, mode}",
    defaultText: "[]",
  },
  bundleSchema,
);

const outputSchema = mapping(
  { doc: "A file or directory that is brought out after the run" },
  {
    name: text(
      { doc: "Unique name; its directory under the output directory", wanted: safeName },
      isSafeName,
    ),
    path: text(
      {
        doc: "File or directory in the guest",
        wanted: 'an absolute guest path such as "/workspace/report.json"',
      },
      isGuestPath,
    ),
  },
);

export const outputsSchema = list(
  {
    doc: "Files and directories to bring out after the run",
    wanted: "a list of {name, path}",
    defaultText: "[]",
  },
  outputSchema,
);

export type FileEntry = z.infer<typeof fileSchema>;
export type DiskEntry = z.infer<typeof diskSchema>;
export type OutputEntry = z.infer<typeof outputSchema>;
