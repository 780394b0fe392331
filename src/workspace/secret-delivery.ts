import type { Agent } from "../agent/agent.ts";
import type { GuestCalls } from "../agent/guest-calls.ts";
import { singleFileTree } from "../agent/tree.ts";
import { asMicroagentError, MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Op } from "../base/op.ts";
import { hostEnvironment } from "../host/environment.ts";
import { readDotenvFile } from "../secret/file-source.ts";
import { type NamedSecretRef, parseNamedSecret } from "../secret/named.ts";
import { isPlaintext } from "../secret/plaintext.ts";
import { Redactions } from "../secret/redaction.ts";
import { type ResolveOptions, resolveSecret } from "../secret/resolve.ts";
import { Secret } from "../secret/secret.ts";
import { openSecretAudit, type SecretAccess, type SecretAudit } from "./secret-audit.ts";
import { SecretRequests } from "./secret-requests.ts";

/** What a run declares: `NAME=reference` texts, and dotenv files whose keys are names. As `RunPlan.secrets`. */
export interface SecretsDeclared {
  readonly files: readonly string[];
  readonly onDemand: readonly string[];
  readonly envFiles: readonly string[];
  readonly audit: boolean;
}

/** Where secrets are in the guest. */
export const guestSecretsDir = "/run/secrets";
export const guestSecretsSocket = "/run/secrets-api.sock";

/** What a run did with its secrets, without a value. */
export interface SecretsReport {
  readonly materialized: readonly string[];
  readonly onDemand: readonly string[];
  readonly accesses: Readonly<Record<SecretAccess["result"], number>>;
}

interface Place {
  readonly agent: Agent;
  /** Who runs the workload, as in `ExecRequest`. */
  readonly user: string;
  /** The workspace's directory, for the access log. */
  readonly directory: string;
}

/**
 * The secrets of one run, every value that is delivered at boot resolved before anything was started. Values live here
 * and in the guest; the host writes none of them anywhere.
 */
export class PreparedSecrets {
  /** For the workload's environment. */
  readonly env: Readonly<Record<string, string>>;
  /** For `configure`. */
  readonly services: { readonly secretsSocket: string } | null;
  readonly calls: Pick<GuestCalls, "secret">;
  /** For what is kept of the guest's output. */
  readonly redactions = new Redactions();
  readonly #files: ReadonlyMap<string, Secret>;
  readonly #onDemand: readonly NamedSecretRef[];
  readonly #audited: boolean;
  readonly #accesses = { ok: 0, denied: 0, error: 0, limited: 0 };
  #audit: SecretAudit | null = null;

  constructor(
    files: ReadonlyMap<string, Secret>,
    onDemand: readonly NamedSecretRef[],
    audited: boolean,
    warn: (text: string) => void,
    options: ResolveOptions,
  ) {
    this.#files = files;
    this.#onDemand = onDemand;
    this.#audited = audited;
    for (const secret of files.values()) this.redactions.add(secret);
    const asked = onDemand.length > 0;
    this.env = asked ? { MICROAGENT_SECRETS_SOCK: guestSecretsSocket } : {};
    this.services = asked ? { secretsSocket: guestSecretsSocket } : null;
    const requests = new SecretRequests(
      onDemand,
      (op, access) => this.#record(op, access),
      (secret) => this.redactions.add(secret),
      warn,
      options,
    );
    this.calls = asked ? { secret: (op, { name }) => requests.answer(op, name) } : {};
  }

  get report(): SecretsReport {
    return {
      materialized: [...this.#files.keys()],
      onDemand: this.#onDemand.map(({ name }) => name),
      accesses: { ...this.#accesses },
    };
  }

  /** Writes the files, after `configure` and before anything of the user's runs in the guest. */
  async deliver(op: Op, place: Place): Promise<void> {
    if (this.#audited) this.#audit = await openSecretAudit(place.directory);
    const { agent, user } = place;
    const owner = await agent.placeSecrets(op, {
      user: user === "" ? "0" : user,
      sizeBytes: this.#files.size === 0 ? 0 : roomFor([...this.#files.values()]),
      socket: this.services?.secretsSocket ?? null,
    });
    for (const [name, secret] of this.#files) {
      await this.#record(op, { access: "materialize", name, result: "ok" });
      const tree = singleFileTree(secret.bytes(), { mode: 0o400 });
      await agent.put(op, `${guestSecretsDir}/${name}`, tree, { parents: false, owner });
    }
  }

  async close(): Promise<void> {
    await this.#audit?.close();
  }

  async #record(op: Op, access: Omit<SecretAccess, "at">): Promise<void> {
    this.#accesses[access.result] += 1;
    if (!this.#audited) return;
    if (this.#audit === null) {
      throw new MicroagentError("internal", "A secret was accessed before its access log was open");
    }
    await this.#audit.record({ ...access, at: new Date(op.clock.now()) });
  }
}

/**
 * Resolves what is delivered at boot and checks the form of what is fetched on demand. Null when nothing is declared.
 * `invalid_argument` for a literal or a name given twice; the codes of `resolveSecret`, with the flag in the sentence.
 */
export async function prepareSecrets(
  op: Op,
  declared: SecretsDeclared,
  options: ResolveOptions = {},
): Promise<PreparedSecrets | null> {
  const files = declared.files.map((text) => named("--secret", text));
  const onDemand = declared.onDemand.map((text) => named("--secret-on-demand", text));
  if (files.length + onDemand.length + declared.envFiles.length === 0) return null;

  const values = new Map<string, Secret>();
  const taken = new Set<string>();
  const take = (flag: string, name: string) => {
    if (taken.has(name)) {
      throw new MicroagentError("invalid_argument", `Secret "${name}" of ${flag} is given twice`);
    }
    taken.add(name);
    if (taken.size > limits.secret.namesMax) {
      throw new MicroagentError(
        "invalid_argument",
        `There are more than ${limits.secret.namesMax} secrets, the most that one guest may have`,
      );
    }
  };
  for (const { name } of onDemand) take("--secret-on-demand", name);
  for (const { name } of files) take("--secret", name);
  const plain = new Map<string, string>();
  for (const { name, ref } of [...files, ...onDemand]) {
    if (isPlaintext(ref.scheme)) plain.set(name, ref.scheme);
  }
  for (const path of declared.envFiles) {
    for (const [name, value] of await explained("--secrets-env-file", null, readDotenvFile(path))) {
      take("--secrets-env-file", name);
      values.set(name, new Secret(Buffer.from(value)));
      plain.set(name, "dotenv");
    }
  }
  for (const { name, ref } of onDemand)
    await explained("--secret-on-demand", name, reachable(ref, options));
  for (const { name, ref } of files) {
    values.set(name, await explained("--secret", name, resolveSecret(op, ref, options)));
  }
  if (roomFor([...values.values()]) > limits.secret.filesBytesMax) {
    throw new MicroagentError(
      "secret_unusable",
      `The secrets of this run need more than ${limits.secret.filesBytesMax} bytes of the guest's memory`,
    );
  }
  const warn = (text: string) => op.report({ kind: "warning", text });
  warnOfDelivery(warn, [...taken], plain);
  return new PreparedSecrets(values, onDemand, declared.audit, warn, options);
}

function named(flag: string, text: string): NamedSecretRef {
  try {
    return parseNamedSecret(text);
  } catch (error) {
    throw withFlag(flag, null, error);
  }
}

async function explained<T>(flag: string, name: string | null, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw withFlag(flag, name, error);
  }
}

function withFlag(flag: string, name: string | null, caught: unknown): MicroagentError {
  const { code, message, hint, details, step } = asMicroagentError(caught);
  if (code === "cancelled") return asMicroagentError(caught);
  const subject = name === null ? `Flag ${flag}` : `Secret "${name}" of ${flag}`;
  return new MicroagentError(code, `${subject} gives nothing: ${message}`, {
    hint,
    step,
    details: { ...details, flag },
  });
}

/** What can be known of a source without asking it: a value fetched on demand is fetched when it is asked for. */
async function reachable(ref: NamedSecretRef["ref"], options: ResolveOptions): Promise<void> {
  const environment = options.environment ?? hostEnvironment;
  if (ref.scheme === "vault") {
    const { vaultServer } = await import("../secret/vault.ts");
    vaultServer(environment);
  } else if (ref.scheme === "helper") {
    const { helperProgram } = await import("../secret/helper-program.ts");
    helperProgram(environment);
  } else if (ref.scheme === "env" && environment.env(ref.variable) === undefined) {
    throw new MicroagentError(
      "secret_not_found",
      `Environment variable "${ref.variable}" is not set or empty: wanted a secret in it`,
    );
  }
}

function warnOfDelivery(
  warn: (text: string) => void,
  names: readonly string[],
  plain: ReadonlyMap<string, string>,
): void {
  warn(
    `The guest gets the real value of ${list(names)}; --cred-swap keeps the key of an API out of it`,
  );
  if (plain.size === 0) return;
  const sources = [...new Set(plain.values())].map((scheme) => `"${scheme}"`).join(", ");
  warn(
    `The host has ${list([...plain.keys()])} in plaintext (${sources}): not encrypted at rest, not for production`,
  );
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 8).join(", ");
  return names.length > 8 ? `${shown} and ${names.length - 8} more` : shown;
}

/** Whole pages for each file, and some for the directory. */
function roomFor(secrets: readonly Secret[]): number {
  const page = 4096;
  const pages = secrets.reduce((sum, { byteLength }) => sum + Math.ceil(byteLength / page) + 1, 4);
  return pages * page;
}
