import { MicroagentError } from "../../base/errors.ts";
import { type Flags, flagName } from "../flags.ts";
import type { LoadedSpec } from "../load.ts";
import type { Finding, Placed } from "../placed.ts";
import type { Origin } from "../plan.ts";
import type { LoadedPolicy } from "../policy-file.ts";
import { specError } from "../problem.ts";
import type { SpecFile } from "../schema/spec-schema.ts";

/** One merge under way: its two inputs, and the record of who won. */
export class Merging {
  readonly flags: Flags;
  readonly file: LoadedSpec | null;
  readonly spec: SpecFile;
  readonly cwd: string;
  /** What the file of `--egress-policy` holds. */
  readonly policy: LoadedPolicy | null;
  readonly provenance: Record<string, Origin> = {};
  readonly notes: string[] = [];

  constructor(
    flags: Flags,
    file: LoadedSpec | null,
    cwd: string,
    policy: LoadedPolicy | null = null,
  ) {
    this.flags = flags;
    this.file = file;
    this.spec = file?.spec ?? {};
    this.cwd = cwd;
    this.policy = policy;
  }

  /** Directory that relative paths of the spec start from. */
  get baseDir(): string {
    return this.file?.baseDir ?? this.cwd;
  }

  /** Flag before spec before profile before default. */
  pick<T>(
    field: string,
    from: {
      readonly flag?: T | undefined;
      readonly spec?: T | undefined;
      readonly profile?: T | undefined;
    },
    fallback: T,
  ): T {
    const order: readonly (readonly [Origin, T | undefined])[] = [
      ["flag", from.flag],
      ["spec", from.spec],
      ["profile", from.profile],
    ];
    for (const [origin, value] of order) {
      if (value === undefined) continue;
      this.provenance[field] = origin;
      return value;
    }
    this.provenance[field] = "default";
    return fallback;
  }

  /** The spec's items, then those of the flags. */
  union<T>(
    field: string,
    fromSpec: readonly Placed<T>[],
    fromFlags: readonly Placed<T>[],
  ): readonly Placed<T>[] {
    const both = fromSpec.length > 0 && fromFlags.length > 0;
    this.provenance[field] = both
      ? "union"
      : fromFlags.length > 0
        ? "flag"
        : fromSpec.length > 0
          ? "spec"
          : "default";
    return [...fromSpec, ...fromFlags];
  }

  /** Parsed values of a repeated flag, each with its place. */
  flagItems<T>(key: keyof Flags, parse: (text: string) => T): Placed<T>[] {
    const given = this.flags[key];
    if (!Array.isArray(given)) return [];
    const flag = flagName(key);
    return (given as string[]).map((text) => ({
      value: parse(text),
      place: { kind: "flag", flag },
    }));
  }

  /** Throws for the first finding, with all of its kind: `spec_invalid`, or `invalid_argument`. */
  refuse(findings: readonly Finding[]): void {
    const [first] = findings;
    if (first === undefined) return;
    if (first.place.kind === "flag" || this.file === null) {
      const flag = first.place.kind === "flag" ? `Flag ${first.place.flag}: ` : "";
      throw new MicroagentError("invalid_argument", `${flag}${first.sentence}`, {
        hint: first.hint,
        details: first.place.kind === "flag" ? { flag: first.place.flag } : {},
      });
    }
    const source = this.file.source;
    const problem = (finding: Finding) =>
      source.problem(finding.place.kind === "spec" ? finding.place.path : [], finding.at, finding);
    const rest = findings.slice(1).filter((finding) => finding.place.kind === "spec");
    throw specError([problem(first), ...rest.map(problem)]);
  }
}

/** The values alone. */
export function valuesOf<T>(items: readonly Placed<T>[]): readonly T[] {
  return items.map((item) => item.value);
}
