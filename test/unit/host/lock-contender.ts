// Child of lock.test.ts: takes a lock again and again and records every overlap it sees.
// Arguments: lock file, occupancy file, log file, rounds, and a mode: "die-inside" to stop and
// wait inside, "plant" to leave locks of dead owners behind between the rounds.
import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { withOp } from "../../../src/base/op.ts";
import { withLock } from "../../../src/host/lock.ts";
import { ownIdentity } from "../../../src/host/process-identity.ts";

const [lock = "", occupied = "", log = "", rounds = "0", mode = ""] = process.argv.slice(2);

function otherInside(): number | null {
  try {
    const pid = Number(readFileSync(occupied, "utf8"));
    process.kill(pid, 0);
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).startsWith("Z") ? null : pid;
  } catch {
    return null;
  }
}

function plantStaleLock(): void {
  const owner = { ...ownIdentity(), startTime: "long ago" };
  try {
    writeFileSync(lock, JSON.stringify({ owner, nonce: String(Math.random()) }), { flag: "wx" });
  } catch {
    // Somebody holds the lock, which is as good.
  }
}

await withOp("contender", { timeoutMs: 60_000 }, async (op) => {
  for (let round = 0; round < Number(rounds); round++) {
    await withLock(op, lock, async () => {
      const other = otherInside();
      if (other !== null) appendFileSync(log, `overlap ${process.pid} ${other}\n`);
      writeFileSync(occupied, String(process.pid));
      appendFileSync(log, `enter ${process.pid}\n`);
      if (mode === "die-inside") await op.sleep(60_000);
      await op.sleep(Math.random() * 3);
      rmSync(occupied, { force: true });
    });
    if (mode === "plant") plantStaleLock();
  }
});
