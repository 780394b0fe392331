import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { isMicroagentError, MicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import { hostEnvironment } from "../../host/environment.ts";
import { findTool, runTool } from "../../host/run-tool.ts";
import { ensurePrivateDir, type StateLayout } from "../../host/state-layout.ts";
import { sha256OfFile } from "../hash-file.ts";

/** What the distribution's signed lists say of the package version that would be installed. */
export interface AptPackage {
  readonly name: string;
  readonly version: string;
  readonly sha256: string;
  /** Names of the packages it depends on, alternatives included, without versions. */
  readonly depends: readonly string[];
}

/** The distribution's own package manager, asked for packages without installing any. */
export interface Apt {
  /** Null when no list knows the package. */
  show(op: Op, name: string): Promise<AptPackage | null>;
  /** Fetches the package file into `directory` and verifies it: `kernel_digest_mismatch`. */
  download(op: Op, wanted: AptPackage, directory: string): Promise<string>;
  /** Fetches fresh lists of our own, once; false when that was done before. */
  refresh(op: Op): Promise<boolean>;
}

/**
 * Opens apt. When the host's package lists are absent (a slim container), lists of our own are
 * fetched into the cache directory: that needs no root, and the signatures are checked with the
 * host's keys as ever. `host_unsupported` on hosts without apt.
 */
export async function openApt(layout: StateLayout): Promise<Apt> {
  if ((await findTool("apt-get")) === null || (await findTool("dpkg-deb")) === null) {
    throw new MicroagentError(
      "host_unsupported",
      "This host has no apt, which fetches the distribution kernel",
      { hint: "Name a kernel: microagent kernel install --url URL --sha256 SHA256" },
    );
  }
  return new AptHost(join(layout.cache, "apt"));
}

class AptHost implements Apt {
  readonly #ownDir: string;
  #useOwnLists = false;

  constructor(ownDir: string) {
    this.#ownDir = ownDir;
  }

  async show(op: Op, name: string): Promise<AptPackage | null> {
    const known = await this.#lookUp(op, name);
    if (known !== null || this.#useOwnLists || (await this.#hostHasLists(op))) return known;
    await this.refresh(op);
    return this.#lookUp(op, name);
  }

  async refresh(op: Op): Promise<boolean> {
    if (this.#useOwnLists) return false;
    await op.step("apt-lists", (step) => this.#fetchOwnLists(step));
    return true;
  }

  async download(op: Op, wanted: AptPackage, directory: string): Promise<string> {
    const spec = `${wanted.name}=${wanted.version}`;
    try {
      await this.#run(op, "apt-get", ["download", spec], directory);
    } catch (error) {
      op.check();
      throw fetchFailed(`Package "${spec}" could not be fetched`, error);
    }
    const file = (await readdir(directory)).find(
      (name) => name.startsWith(`${wanted.name}_`) && name.endsWith(".deb"),
    );
    if (file === undefined) {
      throw new MicroagentError("kernel_fetch_failed", `Package "${spec}" left no file`);
    }
    const path = join(directory, file);
    const sha256 = await sha256OfFile(op, path);
    if (sha256 !== wanted.sha256) {
      throw new MicroagentError(
        "kernel_digest_mismatch",
        `Package "${spec}" has sha256 "${sha256}", the signed list promises "${wanted.sha256}"`,
        { hint: "Refresh the lists with: apt-get update", details: { sha256 } },
      );
    }
    return path;
  }

  async #lookUp(op: Op, name: string): Promise<AptPackage | null> {
    try {
      const { stdout } = await this.#run(op, "apt-cache", ["show", "--no-all-versions", name]);
      return parsePackage(stdout, name);
    } catch (error) {
      op.check();
      // apt-cache answers an unknown name with status 100; any other failure would do so again.
      if (isMicroagentError(error) && error.code === "host_tool_failed") return null;
      throw error;
    }
  }

  async #hostHasLists(op: Op): Promise<boolean> {
    const { stdout } = await this.#run(op, "apt-cache", ["policy"]);
    return / Packages$/m.test(stdout);
  }

  async #fetchOwnLists(op: Op): Promise<void> {
    op.report({ kind: "note", text: "Fetching the distribution's package lists" });
    await ensurePrivateDir(join(this.#ownDir, "state", "lists", "partial"));
    await mkdir(join(this.#ownDir, "cache", "archives", "partial"), { recursive: true });
    this.#useOwnLists = true;
    try {
      await this.#run(op, "apt-get", ["update"]);
    } catch (error) {
      op.check();
      throw fetchFailed("The distribution's package lists could not be fetched", error);
    }
  }

  #run(op: Op, file: string, args: readonly string[], cwd?: string) {
    // Proxies and mirrors are configured through the user's environment and apt's own files.
    return runTool(op, file, [...this.#options(), ...args], { inheritEnv: true, cwd, env });
  }

  #options(): string[] {
    const own = [
      `Dir::State=${join(this.#ownDir, "state")}`,
      // Named as well, because the host's configuration may have moved it on its own.
      `Dir::State::lists=${join(this.#ownDir, "state", "lists")}/`,
      `Dir::Cache=${join(this.#ownDir, "cache")}`,
      "Dir::State::status=/var/lib/dpkg/status",
    ];
    return [
      "APT::Get::AllowUnauthenticated=false",
      // Our directories are closed to apt's own user, so it would only warn and go on as root.
      ...(hostEnvironment.uid === 0 ? ["APT::Sandbox::User=root"] : []),
      ...(this.#useOwnLists ? own : []),
    ].flatMap((option) => ["--option", option]);
  }
}

const env = { LC_ALL: "C" };

/** Reads one stanza of `apt-cache show`; null when it has no digest to verify against. */
export function parsePackage(stanza: string, name: string): AptPackage | null {
  const fields = new Map<string, string>();
  const first = stanza.trim().split("\n\n")[0] ?? "";
  for (const line of first.split("\n")) {
    const match = /^([A-Za-z0-9-]+): (.*)$/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined) fields.set(match[1], match[2]);
  }
  const version = fields.get("Version");
  const sha256 = fields.get("SHA256");
  if (fields.get("Package") !== name || version === undefined || sha256 === undefined) return null;
  if (!/^[0-9a-f]{64}$/.test(sha256)) return null;
  const depends = (fields.get("Depends") ?? "")
    .split(/[,|]/)
    .map((word) => /^\s*([a-z0-9][a-z0-9.+-]*)/.exec(word)?.[1])
    .filter((word) => word !== undefined);
  return { name, version, sha256, depends };
}

function fetchFailed(sentence: string, error: unknown): MicroagentError {
  const detail = isMicroagentError(error) ? String(error.details.stderr ?? error.message) : "";
  const reason = /^E: (.*)$/m.exec(detail)?.[1];
  return new MicroagentError(
    "kernel_fetch_failed",
    reason === undefined ? sentence : `${sentence}: ${reason.replace(/\.$/, "")}`,
    {
      cause: error,
      hint: `Refresh the package lists with: ${hostEnvironment.uid === 0 ? "" : "sudo "}apt-get update`,
      details: { stderr: detail },
    },
  );
}
