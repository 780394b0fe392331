import type { z } from "zod";
import type { Op } from "../base/op.ts";
import { type FieldPath, pathKey, pathText } from "./field-path.ts";
import { nearestName } from "./nearest.ts";
import { describeValue, oneLine } from "./printable.ts";
import { specError } from "./problem.ts";
import type { Fault } from "./schema/field-notes.ts";
import { isNamedSecret } from "./schema/secret-reference.ts";
import {
  openInSwap,
  type SwapEntry,
  swapFields,
  swapFileSchema,
  wantedInSwap,
} from "./schema/swap-schema.ts";
import { readSettingsFile } from "./settings-file.ts";
import { type Complaint, type FieldRange, type SourceRange, SpecSource } from "./source.ts";
import { composeYaml } from "./yaml/compose.ts";
import { walkDocument } from "./yaml/walk.ts";

/** A swap of the file with its defaults filled in; references, never a value. */
export type LoadedSwap = {
  readonly name: string;
  readonly domains: readonly string[];
  readonly header: string;
  readonly format: string;
  readonly clientCertificate?: { readonly certRef: string; readonly keyRef: string } | undefined;
} & (
  | { readonly type: "static"; readonly keyRef: string }
  | ({
      readonly type: "oauth2-cc";
      readonly clientIdRef: string;
      readonly clientSecretRef: string;
      readonly scopes: readonly string[];
    } & Acquisition)
  | ({
      readonly type: "jwt-bearer";
      readonly signingKeyRef: string;
      readonly algorithm: "RS256" | "ES256";
      readonly claims: Readonly<Record<string, string>>;
      readonly keyId: string | null;
    } & Acquisition)
);

/** The swaps of a file, and where they stand in it. */
export interface LoadedSwapFile {
  readonly swaps: readonly LoadedSwap[];
  /** `file:line:column` of a field of a swap. */
  place(name: string, field: string): string;
}

interface Acquisition {
  readonly tokenUrl: string;
  readonly tokenField: string;
  readonly tokenTtlSeconds: number | null;
}

/**
 * Reads the file of `--egress-swap-config`, YAML or JSON, strictly. Fails with `invalid_argument` when
 * it cannot be read and `spec_invalid` with its place when something in it is wrong.
 */
export async function loadSwapFile(op: Op, path: string): Promise<LoadedSwapFile> {
  const reading = readSettingsFile(path, "Swap file", "--egress-swap-config");
  return parseSwapFile(await op.race(reading), path);
}

/** Checks the text of a swap file; `fileName` is used in errors only. */
export function parseSwapFile(content: string, fileName: string): LoadedSwapFile {
  const { value, fields, complaints } = walkDocument(composeYaml(fileName, content), {
    plainScalar: () => false,
    secret: (path) => mayBeSecret(path),
  });
  const source = new SpecSource(fileName, content, fields, hidden(value, [], fields));
  const [complaint] = complaints;
  if (complaint !== undefined) {
    throw specError([source.problemAt(complaint.range, complaint.path, complaint.complaint)]);
  }
  const parsed = swapFileSchema.safeParse(value);
  if (parsed.success) {
    const entries = Object.entries(parsed.data.swaps);
    for (const [name, entry] of entries) refuseHalfACertificate(name, entry, source);
    return {
      swaps: entries.map(([name, entry]) => loaded(name, entry)),
      place(name, field) {
        const { line, column } = source.place(["swaps", name, field]);
        return `${fileName}:${line}:${column}`;
      },
    };
  }
  const { issues } = parsed.error;
  // A misspelled key is why another one is missing.
  const issue = issues.find(({ code }) => code === "unrecognized_keys") ?? issues[0];
  throw specError([
    issue === undefined
      ? source.problem([], "value", { sentence: "The swap file is not valid" })
      : problemOf(issue, value, source),
  ]);
}

/** A key is of no use without its certificate, and the other way round. */
function refuseHalfACertificate(name: string, entry: SwapEntry, source: SpecSource): void {
  const { client_cert_ref: cert, client_key_ref: key } = entry;
  if ((cert === undefined) === (key === undefined)) return;
  const [given, missing] =
    cert === undefined
      ? ["client_key_ref", "client_cert_ref"]
      : ["client_cert_ref", "client_key_ref"];
  throw specError([
    source.problem(["swaps", name, given], "key", {
      sentence: `Field "swaps.${name}.${given}" has no "${missing}" beside it: expected both`,
      hint: "Where one file holds the certificate and its key, name it in both",
    }),
  ]);
}

function loaded(name: string, entry: SwapEntry): LoadedSwap {
  const { domains } = entry;
  const header = entry.header ?? "Authorization";
  const written = entry.format ?? "";
  const usual = entry.type === "static" ? "{key}" : "Bearer {key}";
  const { client_cert_ref: certRef, client_key_ref: keyRef } = entry;
  const placement = {
    name,
    domains,
    header,
    format: written === "" ? usual : written,
    ...(certRef === undefined || keyRef === undefined
      ? {}
      : { clientCertificate: { certRef, keyRef } }),
  };
  if (entry.type === "static") return { ...placement, type: "static", keyRef: entry.key_ref };
  const acquisition = {
    tokenUrl: entry.token_url,
    tokenField: entry.token_response_field ?? "access_token",
    tokenTtlSeconds: entry.token_ttl_seconds ?? null,
  };
  if (entry.type === "oauth2-cc") {
    const { client_id_ref: clientIdRef, client_secret_ref: clientSecretRef, scopes = [] } = entry;
    return { ...placement, ...acquisition, type: entry.type, clientIdRef, clientSecretRef, scopes };
  }
  const { signing_key_ref: signingKeyRef, algorithm = "RS256", claims = {}, key_id } = entry;
  const keyId = key_id ?? null;
  return {
    ...placement,
    ...acquisition,
    type: entry.type,
    signingKeyRef,
    algorithm,
    claims,
    keyId,
  };
}

function problemOf(issue: z.core.$ZodIssue, root: unknown, source: SpecSource) {
  const path = issue.path as FieldPath;
  if (issue.code === "unrecognized_keys") {
    const [key = ""] = issue.keys;
    return source.problem([...path, key], "key", unknownKey(path, key, root));
  }
  if (issue.code === "invalid_key") {
    return source.problem(path, "key", {
      sentence: `Swap name "${oneLine(String(path.at(-1)))}" is not valid: wanted letters, digits, ".", "_" and "-"`,
    });
  }
  const wanted = wantedAt(path);
  const value = path.reduce<unknown>(childOf, root);
  if (value === undefined && path.length > 0 && !source.has(path)) {
    const parent = pathText(path.slice(0, -1));
    return source.problem(path, "key", {
      sentence: `Field "${String(path.at(-1))}" is missing${parent === "" ? "" : ` in "${parent}"`}: wanted ${wanted}`,
      hint: "docs/credential-swap.md lists every field",
    });
  }
  const fault = (issue.code === "custom" ? issue.params?.fault : undefined) as Fault | undefined;
  const name = path.length === 0 ? "The swap file" : `Field "${pathText(path)}"`;
  const found = mayBeSecret(path)
    ? ` ${fault?.why ?? "is not valid"}`
    : ` is ${describeValue(value)}${fault?.why === undefined ? "" : `, which ${fault.why}`}`;
  return source.problem(path, "value", {
    sentence: `${name}${found}: wanted ${wanted}`,
    nearest: fault?.nearest,
    hint: fault?.hint ?? "docs/credential-swap.md shows a swap file",
  });
}

function unknownKey(path: FieldPath, key: string, root: unknown): Complaint {
  const type = childOf(path.reduce<unknown>(childOf, root), "type");
  const known = path.length === 0 ? ["swaps"] : (swapFields[String(type)] ?? []);
  const nearest = nearestName(key, known);
  const where = path.length === 0 ? "a swap file" : `"${pathText(path)}"`;
  return {
    sentence: `Unknown key "${oneLine(key)}" in ${where}: wanted "${known.join('", "')}"`,
    nearest,
    hint: "docs/credential-swap.md lists every field",
  };
}

function wantedAt(path: FieldPath): string {
  if (path.length === 0) return '"swaps", a mapping of names to swaps';
  if (path.length === 1) return "a mapping of names to swaps";
  return path.length === 2 ? "a swap" : (wantedInSwap[String(path[2])] ?? "another value");
}

function childOf(value: unknown, part: string | number): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, part)
    ? (value as Record<string | number, unknown>)[part]
    : undefined;
}

function mayBeSecret(path: FieldPath): boolean {
  return path.length > 2 && !openInSwap.has(String(path[2]));
}

/** Places of texts that may be literal secrets, for frames to star out. */
function hidden(
  value: unknown,
  path: FieldPath,
  fields: ReadonlyMap<string, FieldRange>,
): SourceRange[] {
  if (typeof value === "object" && value !== null) {
    return Object.entries(value).flatMap(([key, child]) =>
      hidden(child, [...path, Array.isArray(value) ? Number(key) : key], fields),
    );
  }
  const field = fields.get(pathKey(path));
  const known = path.length > 2 && openInSwap.has(String(path[2]));
  const reference = typeof value === "string" && isNamedSecret(`key=${value}`) === null;
  if (field === undefined || known || reference || typeof value !== "string") return [];
  return field.value.start === field.key?.start ? [] : [field.value];
}
