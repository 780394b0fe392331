// A seeded PostgreSQL of one's own: a clone of a machine in which it runs, against starting and seeding one.
import { execFileSync } from "node:child_process";
import { chownSync, copyFileSync, existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root, ScriptFailure } from "../../scripts/steps.mjs";
import { plainFigure } from "../figure.mjs";
import { cloneTemplate, ensureTemplate, withOp } from "../product.mjs";
import { cloneRequest } from "./clone-crowd.mjs";

const size = { cpus: 1, memoryMib: 512 };
const image = "mmdebstrap:bookworm?include=postgresql";
const bin = "/usr/lib/postgresql/15/bin";
const seedPath = join(root, "examples", "vitest-postgres", "seed.sql");
const count = "SELECT count(*) FROM account";
const inGuest = (command) => `setpriv --reuid postgres --regid postgres --clear-groups ${command}`;
const seeding = [
  "mkdir -p /srv/db && chown postgres /srv/db",
  inGuest(`${bin}/initdb -D /srv/db -A trust --no-locale -E UTF8 > /dev/null`),
  inGuest(`${bin}/pg_ctl -D /srv/db -o "-k /tmp" -l /srv/db/log -w start > /dev/null`),
  inGuest("psql -q -h /tmp -v ON_ERROR_STOP=1 -f /seed.sql > /dev/null"),
];

export const postgres = {
  name: "postgres",
  async run(bench, runs, onRound) {
    const request = await bench.templateRequest(size);
    const bare = {
      ...request,
      boot: { ...request.boot, image, pull: "missing" },
      setup: [
        `cat > /seed.sql <<"SQL"
${await readFile(seedPath, "utf8")}SQL`,
      ],
      setupTimeoutMs: 900_000,
    };
    const make = (one) => withOp("bench", (op) => ensureTemplate(op, bench.engine, one));
    const empty = await make(bare);
    const seeded = await make({ ...bare, setup: [...bare.setup, ...seeding] });
    const ours = [];
    const guest = [];
    const host = [];
    const rounds = Math.min(runs, 5);
    for (let round = 0; round < rounds; round++) {
      onRound(round + 1, rounds);
      ours.push(await answered(bench, seeded, []));
      guest.push(await answered(bench, empty, seeding));
      host.push(await onHost());
    }
    return [
      plainFigure({
        ...{ name: "a seeded clone to its first query's answer", unit: "ms", ours },
        ...{ floor: guest, floorName: "started and seeded in a clone" },
      }),
      plainFigure({
        ...{ name: "a seeded clone to its first query's answer", unit: "ms", ours },
        ...{ floor: host, floorName: "started and seeded on the host" },
      }),
    ];
  },
};

async function answered(bench, template, commands) {
  const asked = performance.now();
  return await withOp("bench", async (op) => {
    const workspace = await cloneTemplate(op, bench.engine, template, cloneRequest());
    try {
      for (const command of commands) await sh(op, workspace, command);
      await sh(op, workspace, inGuest(`psql -h /tmp -At -c "${count}"`));
      return performance.now() - asked;
    } finally {
      await workspace.close();
    }
  });
}

async function sh(op, workspace, command) {
  const result = await workspace.agent.run(op, {
    ...{ argv: ["/bin/sh", "-c", command], env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], cwd: "/" },
    ...{ user: "0:0", stdin: false, tty: null, timeoutMs: 600_000 },
  });
  if (result.exitCode !== 0) throw new Error(`${command}: ${result.stderr.toString()}`);
}

async function onHost() {
  if (!existsSync(`${bin}/initdb`)) {
    throw new ScriptFailure("PostgreSQL 15 is not installed", "apt-get install postgresql-15");
  }
  const dir = await mkdtemp(join(tmpdir(), "bench-postgres-"));
  const ids = process.getuid() === 0 ? accountOf("postgres") : {};
  const run = (file, ...args) =>
    execFileSync(file, args, { ...ids, cwd: dir, stdio: ["ignore", "ignore", "inherit"] });
  const asked = performance.now();
  try {
    if (ids.uid !== undefined) chownSync(dir, ids.uid, ids.gid);
    copyFileSync(seedPath, join(dir, "seed.sql"));
    run(`${bin}/initdb`, "-D", `${dir}/db`, "-A", "trust", "--no-locale", "-E", "UTF8");
    const options = `-k ${dir} -c listen_addresses=`;
    run(`${bin}/pg_ctl`, "-D", `${dir}/db`, "-o", options, "-l", `${dir}/log`, "-w", "start");
    const psql = ["-q", "-h", dir, "-U", ids.uid === undefined ? process.env.USER : "postgres"];
    run("psql", ...psql, "-d", "postgres", "-f", `${dir}/seed.sql`);
    run("psql", ...psql, "-d", "postgres", "-c", count);
    return performance.now() - asked;
  } finally {
    run(`${bin}/pg_ctl`, "-D", `${dir}/db`, "-m", "immediate", "stop");
    await rm(dir, { recursive: true, force: true });
  }
}

function accountOf(name) {
  const number = (flag) => Number(execFileSync("id", [flag, name], { encoding: "utf8" }));
  return { uid: number("-u"), gid: number("-g") };
}
