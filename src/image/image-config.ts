import { z } from "zod";
import { MicroagentError } from "../base/errors.ts";
import { signalNumber } from "../base/signals.ts";
import { isSha256Digest } from "./digest.ts";

/** What an image says about running it; empty values where it says nothing. */
export interface ImageConfig {
  /** `user[:group]` by name or number, empty for root. */
  readonly user: string;
  readonly workingDir: string;
  /** `NAME=value` lines. */
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  /** Signal name or number, empty for SIGTERM. */
  readonly stopSignal: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `80/tcp` and the like. */
  readonly exposedPorts: readonly string[];
}

/** An image configuration with the facts that only the store needs. */
export interface ParsedConfig {
  readonly config: ImageConfig;
  readonly os: string;
  readonly architecture: string;
  readonly diffIds: readonly string[];
  readonly created: string | null;
}

const text = z.string().max(1024 * 1024);
const texts = z.array(text).max(10_000);
const absentAs =
  <T>(value: T) =>
  (given: T | null | undefined) =>
    given ?? value;
const digest = z.string().refine(isSha256Digest, "wanted sha256: and 64 hexadecimal digits");

const schema = z.object({
  os: z.string().nullish(),
  architecture: z.string().nullish(),
  created: z.string().nullish(),
  config: z
    .object({
      User: text.nullish().transform(absentAs("")),
      WorkingDir: text.nullish().transform(absentAs("")),
      Env: texts.nullish().transform(absentAs<string[]>([])),
      // Old builders wrote the shell form as one string.
      Entrypoint: z.union([texts, text.transform((one) => ["/bin/sh", "-c", one])]).nullish(),
      Cmd: z.union([texts, text.transform((one) => ["/bin/sh", "-c", one])]).nullish(),
      StopSignal: text.nullish().transform(absentAs("")),
      Labels: z.record(z.string(), z.string()).nullish().transform(absentAs({})),
      ExposedPorts: z.record(z.string(), z.unknown()).nullish().transform(absentAs({})),
    })
    .nullish(),
  rootfs: z.object({ type: z.literal("layers"), diff_ids: z.array(digest).max(100_000) }),
});

/** Reads an OCI or Docker image configuration; `image_corrupt` says which field is wrong. */
export function parseImageConfig(bytes: Uint8Array, what: string): ParsedConfig {
  const parsed = schema.safeParse(parseJson(bytes, what));
  if (!parsed.success) throw schemaFailure(parsed.error, what);
  const { data } = parsed;
  const stopSignal = data.config?.StopSignal ?? "";
  if (stopSignal !== "" && signalNumber(stopSignal) === null) {
    throw new MicroagentError("image_corrupt", `${what} names "${stopSignal}" as its stop signal`);
  }
  return {
    config: {
      user: data.config?.User ?? "",
      workingDir: data.config?.WorkingDir ?? "",
      env: data.config?.Env ?? [],
      entrypoint: data.config?.Entrypoint ?? [],
      cmd: data.config?.Cmd ?? [],
      stopSignal,
      labels: data.config?.Labels ?? {},
      exposedPorts: Object.keys(data.config?.ExposedPorts ?? {}).sort(),
    },
    os: data.os ?? "linux",
    architecture: data.architecture ?? "",
    diffIds: data.rootfs.diff_ids,
    created: data.created ?? null,
  };
}

/** Bytes as JSON; `image_corrupt` when they are not. `what` begins the sentence. */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new MicroagentError("image_corrupt", `${what} is not JSON`, { cause: error });
  }
}

/** The first complaint of a schema as an `image_corrupt` error. */
export function schemaFailure(error: z.ZodError, what: string): MicroagentError {
  const issue = error.issues[0];
  const where = issue?.path.map(String).join(".") ?? "";
  const place = where === "" ? "" : ` at "${where}"`;
  return new MicroagentError(
    "image_corrupt",
    `${what} is malformed${place}: ${issue?.message ?? "unknown"}`,
    { cause: error },
  );
}
