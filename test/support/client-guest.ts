import { freshName } from "../../src/base/ids.ts";
import type { AuditRecord } from "../../src/egress/audit-event.ts";
import { summarizeAudit } from "../../src/egress/audit-log.ts";
import { runCli } from "../fixtures/cli.ts";

/** A guest in `strict` whose programs are clients. */
export interface ClientGuest extends AsyncDisposable {
  /** Copies a file or a directory of the host into the guest. */
  put(from: string, to: string): Promise<void>;
  /** Runs a shell script of root, and gives what it printed and what the audit has of it. */
  run(script: string): Promise<GuestRun>;
}

export interface GuestRun {
  readonly code: number | null;
  readonly output: string;
  /** Lines about what was denied or went wrong, as `host: reason`. */
  readonly complaints: readonly string[];
  /** What the receipt would propose for the list. */
  readonly allowable: readonly string[];
}

const complaint = /deny|denied|error|guard|cap_exceeded/;

/** Creates one through the command line, as a user does. Disposing of it deletes it. */
export async function createClientGuest(
  flags: readonly string[],
  env: Record<string, string>,
): Promise<ClientGuest> {
  const name = freshName("clients");
  const cli = async (...args: string[]) => {
    const got = await runCli(args, { env });
    if (got.code !== 0) throw new Error(`${args.join(" ")}: ${got.stdout}${got.stderr}`);
    return got.stdout;
  };
  await cli("create", "--start", "--name", name, "--egress", "strict", ...flags);
  const audit = async (): Promise<readonly AuditRecord[]> =>
    JSON.parse(await cli("--json", "egress", name)).egress;
  let seen = 0;
  return {
    async put(from, to) {
      await cli("cp", from, `${name}:${to}`);
    },
    async run(script) {
      const got = await runCli(["exec", name, "--", "sh", "-c", script], { env });
      const all = await audit();
      const lines = all.slice(seen);
      seen = all.length;
      return {
        code: got.code,
        output: `${got.stdout}${got.stderr}`,
        complaints: lines
          .filter(({ event }) => complaint.test(event))
          .map(({ host, reason }) => `${host}: ${reason}`),
        allowable: summarizeAudit(lines).allowable,
      };
    },
    async [Symbol.asyncDispose]() {
      await runCli(["delete", "--force", name], { env });
    },
  };
}
