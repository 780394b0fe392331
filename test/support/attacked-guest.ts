import { join } from "node:path";
import { expect } from "vitest";
import { withOp } from "../../src/base/op.ts";
import type { AuditRecord } from "../../src/egress/audit-event.ts";
import { readAuditLog } from "../../src/egress/audit-log.ts";
import type { Flags } from "../../src/spec/flags.ts";
import { nothingAttached } from "../../src/workspace/attachments.ts";
import { boot } from "../../src/workspace/boot.ts";
import { type NetworkRequest, networkRequestOf } from "../../src/workspace/network-request.ts";
import type { Workspace } from "../../src/workspace/workspace.ts";
import { makeImageWith } from "../fixtures/go-image.ts";
import { openWorkbench, type Workbench } from "../fixtures/workbench.ts";
import { someBoot } from "./boot-request.ts";

/** A bench whose image has the attacking program. */
export interface AttackBench extends AsyncDisposable {
  readonly bench: Workbench;
  readonly image: string;
  /** Boots a guest with the network that the flags and the spec ask for. */
  boot(flags: Flags, options?: AttackOptions): Promise<AttackedGuest>;
}

export interface AttackOptions {
  readonly spec?: string;
  /** Resolvers to ask instead of the system's, as `address:port`. */
  readonly resolvers?: readonly string[];
}

/** What an audit line has to say, as far as it is given. */
export type Audited = Partial<Omit<AuditRecord, "event_id" | "ts">>;

/** A live guest in which root does whatever it likes. */
export interface AttackedGuest extends AsyncDisposable {
  readonly workspace: Workspace;
  /** What the attacking program prints. */
  attack(...words: string[]): Promise<string>;
  /** What a shell script of root prints, errors included, whatever its exit code. */
  shell(script: string): Promise<string>;
  /** The same two for a user who has no rights. */
  readonly ordinary: Pick<AttackedGuest, "attack" | "shell">;
  /** Waits until the audit holds lines that match each of these. */
  audited(...wanted: Audited[]): Promise<void>;
  /** What an attempt heard, once the audit has a line like this that was not there before it. */
  auditing(wanted: Audited, attempt: () => Promise<string>): Promise<string>;
  /** All lines that were written so far. */
  audit(): Promise<readonly AuditRecord[]>;
  /** Fails unless the guest still runs commands. */
  isAlive(): Promise<void>;
}

const stepMs = 300_000;

export async function openAttackBench(): Promise<AttackBench> {
  const bench = await openWorkbench();
  const image = await makeImageWith("attacker", bench.dir);
  let booted = 0;
  return {
    bench,
    image,
    async boot(flags, { spec, resolvers } = {}) {
      const plan = bench.plan({ image, ...flags }, spec);
      const network = networkRequestOf(plan);
      const asking: NetworkRequest | null =
        network === null || resolvers === undefined
          ? network
          : { ...network, policy: { ...network.policy, resolvers } };
      booted += 1;
      const workspace = await withOp("attacked", { timeoutMs: stepMs }, (op) =>
        boot(
          op,
          bench.engine,
          someBoot(image, {
            name: `attacked-${booted}`,
            memoryMib: 512,
            cpus: 2,
            hostname: "attacked",
            attach: { ...nothingAttached, network: asking },
            saveable: true,
          }),
        ),
      );
      return attackedGuest(workspace);
    },
    async [Symbol.asyncDispose]() {
      await bench[Symbol.asyncDispose]();
    },
  };
}

function attackedGuest(workspace: Workspace): AttackedGuest {
  const path = join(workspace.directory.path, "egress.jsonl");
  const run = async (argv: readonly string[], user = "0:0") =>
    await withOp("attack", { timeoutMs: stepMs }, async (op) => {
      const { env } = workspace.attachments;
      const result = await workspace.agent.run(op, {
        argv,
        env: ["PATH=/bin", ...Object.entries(env).map(([name, value]) => `${name}=${value}`)],
        cwd: "/",
        user,
        stdin: false,
        tty: null,
        timeoutMs: null,
      });
      const text = `${result.stdout}${result.stderr}`.trim();
      // A program that the kernel has killed says nothing itself.
      return result.oomKilled ? `${text}\nkilled: the workload's memory is used up`.trim() : text;
    });
  const audit = async () => (await readAuditLog(path)).events;
  // Lines are written behind the decision, which the guest may hear first.
  const seen = async (line: Audited, from = 0) =>
    await expect
      .poll(async () => (await audit()).slice(from), { interval: 100 })
      .toContainEqual(expect.objectContaining(line));
  const guest: AttackedGuest = {
    workspace,
    ordinary: {
      attack: (...words) => run(["/attacker", ...words], "1000:1000"),
      shell: (script) => run(["/bin/sh", "-c", script], "1000:1000"),
    },
    attack: (...words) => run(["/attacker", ...words]),
    shell: (script) => run(["/bin/sh", "-c", script]),
    audit,
    async audited(...wanted) {
      for (const line of wanted) await seen(line);
    },
    async auditing(wanted, attempt) {
      const from = (await audit()).length;
      const said = await attempt();
      await seen(wanted, from);
      return said;
    },
    async isAlive() {
      expect(await run(["/bin/sh", "-c", "echo alive"])).toBe("alive");
    },
    async [Symbol.asyncDispose]() {
      await workspace.close();
    },
  };
  return guest;
}
