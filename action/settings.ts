import { secondsOf } from "./duration.ts";
import type { InputName } from "./inputs.ts";

/** What the step is to do; every input read, nothing left as text that has another meaning. */
export interface StepSettings {
  readonly file: string | null;
  readonly image: string | null;
  readonly run: string | null;
  readonly shell: string | null;
  readonly name: string | null;
  readonly workspace: "copy" | "none";
  readonly workspaceExclude: readonly string[];
  readonly workspaceBack: "none" | "patch" | "copy";
  readonly artifacts: readonly string[];
  readonly uploadArtifacts: boolean;
  readonly artifactName: string | null;
  readonly artifactRetentionDays: number | null;
  readonly ifNoArtifacts: "warn" | "error" | "ignore";
  readonly env: readonly string[];
  readonly secrets: readonly string[];
  readonly credSwap: readonly string[];
  readonly structuredOutput: string | null;
  readonly egressSwapConfig: string | null;
  readonly egressHosts: readonly string[];
  readonly egressCa: readonly string[];
  readonly oidcAudience: string | null;
  readonly githubToken: string | null;
  readonly egress: string | null;
  readonly allow: readonly string[];
  readonly lockAllowlist: boolean;
  readonly profile: string | null;
  readonly cpus: string | null;
  readonly memory: string | null;
  readonly disk: string | null;
  readonly timeoutSeconds: number;
  readonly bootTimeoutSeconds: number;
  readonly pullTimeoutSeconds: number;
  readonly accel: "auto" | "kvm" | "tcg";
  readonly fixKvm: boolean;
  readonly cache: "auto" | "read" | "off";
  readonly templateCache: boolean;
  readonly keep: boolean;
  readonly summary: boolean;
  readonly report: boolean;
  readonly annotations: "auto" | "off";
  readonly log: "stream" | "group" | "on-failure";
  readonly failOn: ReadonlySet<FailCause>;
}

export type FailCause = "exit" | "egress-denied" | "missing-artifact";

/** Inputs that cannot be what they say; one sentence each. */
export class InputProblems extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/** Reads every input and tells all problems at once. Throws `InputProblems`. */
export function readSettings(input: (name: InputName) => string): StepSettings {
  const reader = new InputReader(input);
  const settings: StepSettings = {
    file: reader.text("file"),
    image: reader.text("image"),
    run: reader.script("run"),
    shell: reader.text("shell"),
    name: reader.text("name"),
    workspace: reader.oneOf("workspace", ["none", "copy"]),
    workspaceExclude: reader.lines("workspace-exclude"),
    workspaceBack: reader.oneOf("workspace-back", ["none", "patch", "copy"]),
    artifacts: reader.lines("artifacts"),
    uploadArtifacts: reader.flag("upload-artifacts"),
    artifactName: reader.artifactName("artifact-name"),
    artifactRetentionDays: reader.count("artifact-retention-days", 1, 90),
    ifNoArtifacts: reader.oneOf("if-no-artifacts", ["warn", "error", "ignore"]),
    env: reader.lines("env"),
    secrets: reader.lines("secrets"),
    credSwap: reader.lines("cred-swap"),
    structuredOutput: reader.guestPath("structured-output"),
    egressSwapConfig: reader.text("egress-swap-config"),
    egressHosts: reader.lines("egress-host"),
    egressCa: reader.lines("egress-ca"),
    oidcAudience: reader.text("oidc-audience"),
    githubToken: reader.token("github-token"),
    egress: reader.text("egress"),
    allow: reader.lines("allow"),
    lockAllowlist: reader.flag("lock-allowlist"),
    profile: reader.text("profile"),
    cpus: reader.text("cpus"),
    memory: reader.text("memory"),
    disk: reader.text("disk"),
    timeoutSeconds: reader.seconds("timeout"),
    bootTimeoutSeconds: reader.seconds("boot-timeout"),
    pullTimeoutSeconds: reader.seconds("pull-timeout"),
    accel: reader.oneOf("accel", ["auto", "kvm", "tcg"]),
    fixKvm: reader.flag("fix-kvm"),
    cache: reader.oneOf("cache", ["auto", "read", "off"]),
    templateCache: reader.flag("template-cache"),
    keep: reader.flag("keep"),
    summary: reader.flag("summary"),
    report: reader.flag("report"),
    annotations: reader.oneOf("annotations", ["auto", "off"]),
    log: reader.oneOf("log", ["stream", "group", "on-failure"]),
    failOn: reader.causes("fail-on"),
  };
  const { problems } = reader;
  if (settings.file === null && settings.image === null) {
    problems.push('Input "file" or "image" is wanted: nothing says what to boot');
  }
  if (settings.workspaceBack !== "none" && settings.workspace !== "copy") {
    problems.push(
      `Input "workspace-back" is "${settings.workspaceBack}", which needs "workspace: copy"`,
    );
  }
  if (problems.length > 0) throw new InputProblems(problems);
  return settings;
}

class InputReader {
  readonly problems: string[] = [];
  readonly #input: (name: InputName) => string;

  constructor(input: (name: InputName) => string) {
    this.#input = input;
  }

  text(name: InputName): string | null {
    const value = this.#input(name).trim();
    if (value === "") return null;
    if (/[\r\n\0]/.test(value)) this.#wrong(name, value, "one line is wanted");
    return value;
  }

  guestPath(name: InputName): string | null {
    const value = this.text(name);
    if (value !== null && !/^\/.*[^/]$/.test(value)) {
      this.#wrong(name, value, "the path of a file in the guest, from /, is wanted");
    }
    return value;
  }

  /** Never shown, right or wrong. */
  token(name: InputName): string | null {
    const value = this.#input(name).trim();
    if (/\s/.test(value)) this.problems.push(`Input "${name}" is no token: it has blanks in it`);
    return value === "" ? null : value;
  }

  /** Kept as it is, line ends included. */
  script(name: InputName): string | null {
    const value = this.#input(name);
    return value.trim() === "" ? null : value;
  }

  lines(name: InputName): string[] {
    const lines = this.#input(name).split(/\r\n|\n|\r/);
    return lines.map((line) => line.trim()).filter((line) => line !== "");
  }

  flag(name: InputName): boolean {
    const value = this.#input(name).trim();
    if (/^(true|True|TRUE)$/.test(value)) return true;
    if (!/^(false|False|FALSE)$/.test(value)) this.#wrong(name, value, "true or false is wanted");
    return false;
  }

  oneOf<const Word extends string>(name: InputName, words: readonly [Word, ...Word[]]): Word {
    const value = this.#input(name).trim();
    const found = words.find((word) => word === value);
    if (found === undefined) this.#wrong(name, value, `one of ${words.join(", ")} is wanted`);
    return found ?? words[0];
  }

  seconds(name: InputName): number {
    const value = this.#input(name);
    const seconds = secondsOf(value);
    if (seconds === null) this.#wrong(name, value, "a time such as 90s, 15m or 2h is wanted");
    return seconds ?? 1;
  }

  count(name: InputName, min: number, max: number): number | null {
    const value = this.#input(name).trim();
    if (value === "") return null;
    const count = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
    if (count >= min && count <= max) return count;
    this.#wrong(name, value, `a number from ${min} to ${max} is wanted`);
    return null;
  }

  artifactName(name: InputName): string | null {
    const value = this.text(name);
    if (value !== null && /["\\:<>|*?/]/.test(value)) {
      this.#wrong(name, value, 'none of " \\ : < > | * ? / is allowed in it');
    }
    return value;
  }

  causes(name: InputName): Set<FailCause> {
    const known: readonly FailCause[] = ["exit", "egress-denied", "missing-artifact"];
    const words = this.#input(name).split(/[\s,]+/);
    const causes = new Set<FailCause>();
    for (const word of words.filter((each) => each !== "")) {
      const cause = known.find((each) => each === word);
      if (cause === undefined) this.#wrong(name, word, `some of ${known.join(", ")} are wanted`);
      else causes.add(cause);
    }
    return causes;
  }

  #wrong(name: InputName, value: string, wanted: string): void {
    this.problems.push(`Input "${name}" is ${JSON.stringify(value.slice(0, 200))}, but ${wanted}`);
  }
}
