import type { MicroagentError } from "../base/errors.ts";
import type { Op } from "../base/op.ts";
import { type FieldPath, pathText } from "./field-path.ts";
import { describeValue, oneLine } from "./printable.ts";
import { type Problem, specError } from "./problem.ts";
import { type Fault, list, mapping, text } from "./schema/field-notes.ts";
import { isEgressHost, wantedEgressHost } from "./schema/network-checks.ts";
import { readSettingsFile } from "./settings-file.ts";
import { SpecSource } from "./source.ts";
import { composeYaml } from "./yaml/compose.ts";
import { walkDocument } from "./yaml/walk.ts";

/** The lists of an egress policy file, as written. */
export interface LoadedPolicy {
  readonly allow: readonly string[];
  readonly passthrough: readonly string[];
}

const wantedFields = '"allow" or "passthrough", lists of hosts';
const hosts = (doc: string) =>
  list(
    { doc, wanted: "a list of hosts" },
    text({ doc: "Host", wanted: wantedEgressHost }, isEgressHost),
  ).optional();

const policySchema = mapping(
  { doc: "An egress policy" },
  { allow: hosts("Hosts that may be reached"), passthrough: hosts("The same, never intercepted") },
);

/**
 * Reads the file of `--egress-policy`, YAML or JSON, strictly. Fails with `invalid_argument` when it
 * cannot be read and `spec_invalid` with its place when something in it is wrong.
 */
export async function loadPolicy(op: Op, path: string): Promise<LoadedPolicy> {
  return parsePolicy(
    await op.race(readSettingsFile(path, "Egress policy", "--egress-policy")),
    path,
  );
}

/** Checks the text of a policy file; `fileName` is used in errors only. */
export function parsePolicy(content: string, fileName: string): LoadedPolicy {
  const { value, fields, complaints } = walkDocument(composeYaml(fileName, content), {
    plainScalar: () => false,
    secret: () => false,
  });
  const source = new SpecSource(fileName, content, fields);
  const [complaint] = complaints;
  if (complaint !== undefined) {
    throw refusal(source.problemAt(complaint.range, complaint.path, complaint.complaint));
  }
  const parsed = policySchema.safeParse(value);
  if (parsed.success) {
    const { allow = [], passthrough = [] } = parsed.data;
    return { allow, passthrough };
  }
  const [issue] = parsed.error.issues;
  const path = (issue?.path ?? []) as FieldPath;
  if (issue?.code === "unrecognized_keys") {
    const [key = ""] = issue.keys;
    throw refusal(
      source.problem([...path, key], "key", {
        sentence: `Unknown key "${oneLine(key)}" in an egress policy: wanted ${wantedFields}`,
      }),
    );
  }
  const fault = (issue?.code === "custom" ? issue.params?.fault : undefined) as Fault | undefined;
  const found = describeValue(path.reduce<unknown>(childOf, value));
  const name = path.length === 0 ? "The egress policy" : `Field "${pathText(path)}"`;
  const why = fault?.why === undefined ? "" : `, which ${fault.why}`;
  const wanted =
    path.length === 0 ? wantedFields : path.length === 1 ? "a list of hosts" : wantedEgressHost;
  throw refusal(
    source.problem(path, "value", {
      sentence: `${name} is ${found}${why}: wanted ${wanted}`,
      nearest: fault?.nearest,
      hint: fault?.hint,
    }),
  );
}

function childOf(value: unknown, part: string | number): unknown {
  return typeof value === "object" && value !== null
    ? (value as Record<string | number, unknown>)[part]
    : undefined;
}

function refusal(problem: Problem): MicroagentError {
  return specError([
    { ...problem, hint: problem.hint ?? "docs/network.md shows an egress policy" },
  ]);
}
