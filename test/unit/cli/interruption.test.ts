import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { MicroagentError } from "../../../src/base/errors.ts";
import { interruptionOf } from "../../../src/cli/interruption.ts";
import { runCli } from "../../../src/cli/program.ts";
import { type EndingSignal, endingCodes, type Terminal } from "../../../src/cli/terminal.ts";
import { withProgress } from "../../../src/cli/with-progress.ts";

/** A terminal whose signals the test sends. */
function signalled() {
  const listeners = new Set<(signal: EndingSignal) => void>();
  const left: number[] = [];
  let err = "";
  const terminal: Terminal = {
    version: "0.0.0",
    json: false,
    color: false,
    debug: false,
    exitCode: 0,
    stdoutIsTty: false,
    stderrIsTty: false,
    columns: 80,
    cwd: "/",
    environment: {},
    readerGone: false,
    writeOut: async () => {},
    writeErr: async (data) => {
      err += Buffer.from(data).toString();
    },
    onSignal: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    exitNow: ((code: number) => {
      left.push(code);
    }) as Terminal["exitNow"],
    finish: async () => {},
  };
  const send = (signal: EndingSignal) => {
    for (const listener of listeners) listener(signal);
  };
  return { terminal, send, left, err: () => err };
}

const signals = Object.entries(endingCodes) as [EndingSignal, number][];

test.each(signals)(
  "%s ends an operation, and what it had half made is removed before",
  async (signal, code) => {
    const { terminal, send, left } = signalled();
    let removed = false;
    const ended = withProgress(terminal, "cp", async (op) => {
      await op.step("outer", (outer) =>
        outer.step("inner", async (inner) => {
          try {
            send(signal);
            await inner.sleep(60_000);
          } finally {
            await sleep(100);
            removed = true;
          }
        }),
      );
    });
    await expect(ended).rejects.toMatchObject({ code: "cancelled" });
    expect(removed).toBe(true);
    expect(terminal.exitCode).toBe(code);
    expect(left).toEqual([]);
  },
);

test("the second signal ends everything at once, with its own code", async () => {
  const { terminal, send, left } = signalled();
  interruptionOf(terminal);
  send("SIGINT");
  expect(left).toEqual([]);
  send("SIGTERM");
  expect(left).toEqual([143]);
});

test("work that does not listen is given up, and its step is named", async () => {
  const { terminal, send, left, err } = signalled();
  const stuck = withProgress(terminal, "pull", (op) =>
    op.step("image", () => {
      send("SIGTERM");
      return new Promise<never>(() => {});
    }),
  );
  await expect(stuck).rejects.toMatchObject({ code: "cancelled" });
  await expect.poll(() => left).toEqual([143]);
  expect(err()).toContain('step "pull/image" did not end in time');
});

test("signals that a command of a guest takes end nothing of ours", async () => {
  const { terminal, send, left } = signalled();
  const interruption = interruptionOf(terminal);
  const taken: string[] = [];
  const stop = interruption.divert((signal) => taken.push(signal));
  send("SIGINT");
  expect({ taken, by: interruption.by, left }).toEqual({ taken: ["SIGINT"], by: null, left: [] });
  stop();
  send("SIGTERM");
  expect(interruption.by).toBe("SIGTERM");
});

test.each(signals)(
  "a command that ends well after %s, or fails by it, ends with its code",
  async (signal, code) => {
    for (const failure of [null, new MicroagentError("channel_closed", "The guest is gone")]) {
      const { terminal, send } = signalled();
      terminal.writeOut = async () => {
        send(signal);
        if (failure !== null) throw failure;
      };
      expect(await runCli(["version"], terminal)).toBe(code);
    }
  },
);
