// The floor of a clone: the saved floor machine started again by a client that does nothing but that.
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { endWithUs } from "./end-with-us.mjs";

/** Starts QEMU from a saved machine and resolves when it stands there; `exec` asks the C init for one fork and exec. */
export async function restoreFloor({ file, args, statePath }) {
  const startedAt = performance.now();
  const state = openSync(statePath, "r");
  const child = spawn(file, args, {
    stdio: ["ignore", "ignore", "pipe", "pipe", "pipe", "pipe", state],
  });
  closeSync(state);
  endWithUs(child);
  let said = "";
  for (const fd of [2, 5])
    child.stdio[fd].on("data", (chunk) => (said = (said + chunk).slice(-4000)));
  for (const stream of child.stdio) stream?.on("error", () => {});
  const [, , , port, monitor] = child.stdio;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const command = (execute, fields) => `${JSON.stringify({ execute, arguments: fields })}\n`;
  const capabilities = ["x-ignore-shared", "events"].map((capability) => ({
    capability,
    state: true,
  }));
  let heard = "";
  const loaded = new Promise((resolve, reject) => {
    ended.then(() => reject(new Error(`The floor did not start again: ${said}`)));
    monitor.setEncoding("utf8").on("data", (text) => {
      heard += text;
      if (/"status": "completed"/.test(heard)) resolve();
    });
  });
  loaded.catch(() => {});
  monitor.write(
    command("qmp_capabilities") +
      command("migrate-set-capabilities", { capabilities }) +
      command("migrate-incoming", { uri: "fd:6" }),
  );
  await loaded;
  return {
    startedAt,
    pid: child.pid,
    run: () => monitor.write(command("cont")),
    stop: () => monitor.write(command("stop")),
    async exec() {
      const answer = new Promise((resolve, reject) => {
        port.once("data", (chunk) => resolve(chunk.at(-1)));
        ended.then(() => reject(new Error(`The floor ended: ${said}`)));
      });
      port.write("x");
      if ((await answer) !== 0) throw new Error("/bin/true of the floor failed");
    },
    async end() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** Proportional share of memory of a process, in MiB. */
export function pssMib(pid) {
  const line = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"));
  return Number(line[1]) / 1024;
}
