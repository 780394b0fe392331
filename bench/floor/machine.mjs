// A machine with the floor as its init: raw QEMU, a raw socket to the virtio-serial port, single-letter requests.
import { spawn } from "node:child_process";
import { rm } from "node:fs/promises";
import { endWithUs } from "./end-with-us.mjs";

const answerMs = 60_000;

/** Starts QEMU; descriptor 3 is the port, 4 QEMU's monitor, 5 the console. */
export function startFloor({ file, args, scratch }) {
  const startedAt = performance.now();
  const child = spawn(file, args, {
    stdio: ["ignore", "ignore", "pipe", "pipe", "pipe", "pipe"],
  });
  endWithUs(child);
  let said = "";
  for (const fd of [2, 5]) {
    child.stdio[fd].on("data", (chunk) => {
      said = (said + chunk).slice(-4000);
    });
  }
  child.stdio[4].resume();
  for (const stream of child.stdio) stream?.on("error", () => {});
  const port = child.stdio[3];
  let want = null;
  const ended = new Promise((resolve) => {
    child.once("exit", resolve);
    child.once("error", resolve);
  });
  ended.then(() => want?.fail(new Error(`The floor machine ended: ${said}`)));
  port.on("data", (chunk) => {
    if (want === null) return;
    want.left -= chunk.length;
    want.last = chunk.at(-1);
    if (want.left <= 0) want.done(want.last);
  });

  /** Sends a request and resolves with the last byte of an answer of `bytes`. */
  function ask(request, bytes) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => want?.fail(new Error(`The floor machine does not answer: ${said}`)),
        answerMs,
      );
      const settle = (act) => (value) => {
        clearTimeout(timer);
        want = null;
        act(value);
      };
      want = { left: bytes, last: 0, done: settle(resolve), fail: settle(reject) };
      for (const part of request) port.write(part);
    });
  }

  return {
    /** When QEMU was started, by `performance.now`. */
    startedAt,
    /** Fork and exec of /bin/true in the mounted root; throws unless it exits with 0. */
    async exec() {
      const status = await ask(["x"], 1);
      if (status !== 0) throw new Error(`/bin/true of the floor ended with ${status}: ${said}`);
    },
    /** Sends `bytes` into the guest, which drops them. */
    async push(bytes) {
      await ask(["r", sizeOf(bytes), bytes], 1);
    },
    /** Has the guest send that many bytes. */
    async pull(count) {
      await ask(["w", sizeOf({ length: count })], count);
    },
    async end() {
      child.kill("SIGKILL");
      await ended;
      await rm(scratch, { force: true });
    },
  };
}

function sizeOf({ length }) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(length));
  return bytes;
}
