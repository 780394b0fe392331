import { z } from "zod";
import { profileNames } from "../profiles.ts";
import { agentSchema } from "./agent-schema.ts";
import {
  isEnvName,
  isEnvValue,
  isFilled,
  isGuestFile,
  isHostname,
  isHostPath,
  isImageName,
  isSafeName,
} from "./checks.ts";
import { choice, fieldNotes, list, mapping, text, whole } from "./field-notes.ts";
import { healthSchema, mediationSchema } from "./lifecycle-schema.ts";
import { modelMediationSchema, modelRunnerSchema } from "./model-schema.ts";
import { networkSchema } from "./network-schema.ts";
import { bundlesSchema, disksSchema, filesSchema, outputsSchema } from "./storage-schema.ts";

export const restartPolicies = ["never", "on-failure", "always"] as const;
export type RestartPolicy = (typeof restartPolicies)[number];

/** The image of a run that names none. */
export const defaultImage = "docker.io/library/python:3.13-slim";
export const defaultShell = "/bin/sh";

const setupText = { doc: "Shell command", wanted: "a shell command" };
const setupFile = {
  doc: "Host file whose content is one shell command",
  wanted: "the path of a host file",
};
const setupItem = {
  doc: "A command, {run: COMMAND} or {file: PATH}",
  wanted: "a shell command, {run: COMMAND} or {file: PATH}",
};

const setupSchema = list(
  {
    doc: "Shell commands that prepare the guest, run as root before the command",
    wanted: "a list of shell commands",
    defaultText: "[]",
  },
  z
    .union([
      text(setupText, isFilled),
      mapping(
        { doc: "Either run or file" },
        {
          run: text(setupText, isFilled).optional(),
          file: text(setupFile, isHostPath).optional(),
        },
      ).register(fieldNotes, {
        ...setupItem,
        editor: { minProperties: 1, maxProperties: 1 },
      }),
    ])
    .register(fieldNotes, setupItem),
);

const envSchema = z
  .record(
    text(
      {
        doc: "Variable name",
        wanted: 'letters, digits and "_", not starting with a digit',
        editor: { pattern: "^[A-Za-z_][A-Za-z0-9_]*$" },
      },
      isEnvName,
    ),
    text(
      {
        doc: "Value; a plain number or true/false is taken as written",
        wanted: "a text",
        secret: true,
        plainScalars: true,
        editor: { type: ["string", "number", "boolean"] },
      },
      isEnvValue,
    ),
  )
  .register(fieldNotes, {
    doc: "Environment of setup and command, after the image's own",
    wanted: "a mapping of names to texts",
    defaultText: "{}",
  });

const resourcesSchema = mapping(
  { doc: "What the machine gets; wins over the profile" },
  {
    memoryMiB: whole(
      { doc: "Memory", wanted: "a whole number of MiB from 64", defaultText: "512" },
      64,
      16 * 1024 * 1024,
    ).optional(),
    cpuCount: whole(
      { doc: "Virtual processors", wanted: "a whole number from 1 to 1024", defaultText: "2" },
      1,
      1024,
    ).optional(),
    sizeMiB: whole(
      { doc: "Writable disk", wanted: "a whole number of MiB from 16", defaultText: "1024" },
      16,
      64 * 1024 * 1024,
    ).optional(),
    headroomMiB: whole(
      {
        doc: "Free space that is left on a disk whose size is not given",
        wanted: "a whole number of MiB from 0",
        defaultText: "512",
      },
      0,
      64 * 1024 * 1024,
    ).optional(),
  },
);

/** The whole spec file, strict: an unknown key is an error everywhere. */
export const specSchema = mapping(
  { doc: "A microagent workspace; with an agent block, an Agentfile" },
  {
    name: text(
      {
        doc: "Workspace name",
        wanted: 'a name of letters, digits, ".", "_" and "-", at most 63 long',
        defaultText: "generated",
      },
      isSafeName,
    ).optional(),
    image: text(
      {
        doc: "Image, in any transport: docker:// (or none), oci:, oci-archive:, docker-archive:, mmdebstrap:",
        wanted: 'an image such as "docker.io/library/debian:13" or "oci:./image"',
        defaultText: defaultImage,
      },
      isImageName,
    ).optional(),
    profile: choice(profileNames, {
      doc: "Resources by name",
      defaultText: "resources of small",
    }).optional(),
    restart: choice(restartPolicies, {
      doc: "When a supervised workspace is started again",
      defaultText: "never",
    }).optional(),
    entrypoint: text(
      { doc: "Command on start, read by the shell", wanted: "a shell command" },
      isFilled,
    ).optional(),
    service: text(
      { doc: "Long-running command that the guest restarts itself", wanted: "a shell command" },
      isFilled,
    ).optional(),
    shell: text(
      {
        doc: "Shell of every command text",
        wanted: 'an absolute guest path such as "/bin/bash"',
        defaultText: defaultShell,
      },
      isGuestFile,
    ).optional(),
    hostname: text(
      {
        doc: "Host name of the guest",
        wanted: "at most 63 letters, digits and inner hyphens",
        defaultText: "the name, made valid",
        editor: { pattern: "^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$" },
      },
      isHostname,
    ).optional(),
    setup: setupSchema.optional(),
    setupFiles: list(
      {
        doc: "Host files whose contents are one setup command each, run after setup",
        wanted: "a list of host files",
        defaultText: "[]",
      },
      text(setupFile, isHostPath),
    ).optional(),
    files: filesSchema.optional(),
    env: envSchema.optional(),
    model: text(
      { doc: "Hugging Face GGUF model paired with the workspace", wanted: "a model reference" },
      isFilled,
    ).optional(),
    modelRunner: modelRunnerSchema.optional(),
    modelMediation: modelMediationSchema.optional(),
    resources: resourcesSchema.optional(),
    network: networkSchema.optional(),
    mediation: mediationSchema.optional(),
    health: healthSchema.optional(),
    disks: disksSchema.optional(),
    bundles: bundlesSchema.optional(),
    outputs: outputsSchema.optional(),
    acknowledgeCapabilityRisk: text(
      {
        doc: "Reason for giving private data, injected files and open egress to one workload",
        wanted: "a reason",
      },
      isFilled,
    ).optional(),
    agent: agentSchema.optional(),
  },
);

/** A spec file as written: nothing is filled in, nothing is resolved. */
export type SpecFile = z.infer<typeof specSchema>;
