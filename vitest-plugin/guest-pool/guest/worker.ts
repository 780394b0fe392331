/**
 * The program that waits in a template's machine with Vitest loaded, and runs test files in the clones of it. It is
 * bundled to one file and copied in; `argv`: the folder of Vitest's modules, and the port to listen on.
 */

import { writeSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Connection } from "../wire/connection.ts";
import type { Frame, Hello } from "../wire/frames.ts";
import type { workerModules } from "../wire/worker-modules.ts";
import { coverageFileOf, writeSentFile } from "./files.ts";
import { HostCalls } from "./host-calls.ts";
import { becomeAnother } from "./renew.ts";
import { snapshotEnvironment } from "./snapshots.ts";
import { redirectOutput } from "./standard-streams.ts";

type Worker = typeof import("vitest/worker");
type Options = Parameters<Worker["init"]>[0];

const [, , vitestDir = "", port = ""] = process.argv;
const exit = process.exit.bind(process);

const load = async <T>(name: (typeof workerModules)[number]): Promise<T> =>
  (await import(pathToFileURL(join(vitestDir, name)).href)) as T;
const worker = await load<Worker>("worker.js");
const runtime = await load<typeof import("vitest/runtime")>("runtime.js");
// What test files import, so that it need not be read in each clone.
await load("index.js");

const server = createServer((socket) => {
  // One run per clone: nobody else may speak to this worker.
  server.close();
  serve(socket);
});
server.listen(Number(port), "127.0.0.1");

function serve(socket: Socket): void {
  const listeners = new Set<(message: unknown) => void>();
  const connection = new Connection(socket, {
    onFrame: ({ kind, value }) => {
      if (kind === "hello") begin(value);
      else if (kind === "file") writeSentFile(value);
      else if (kind === "answer") calls.settle(value);
      else if (kind === "message") for (const listener of listeners) listener(value);
    },
    // The machine ends with the connection, but tests must not go on until it does.
    onEnd: (failure) => {
      if (failure !== null) writeSync(2, `${failure.stack}\n`);
      exit(1);
    },
    refuse: (what) => new Error(what),
  });
  const send = (frame: Frame) => connection.send(frame);
  const calls = new HostCalls((call) => send({ kind: "call", value: call }));

  function begin(hello: Hello): void {
    const drawn = becomeAnother(hello);
    redirectOutput(send);
    send({ kind: "awake", value: drawn });
    worker.init({
      // Vitest takes what was cloned, as it is between processes.
      post: (value: unknown) => {
        const file = coverageFileOf(value);
        if (file !== null) send({ kind: "file", value: file });
        send({ kind: "message", value });
      },
      on: (listener: (message: unknown) => void) => void listeners.add(listener),
      off: (listener: (message: unknown) => void) => void listeners.delete(listener),
      setup: worker.setupEnvironment,
      runTests: execute("run"),
      collectTests: execute("collect"),
      teardown: () => listeners.clear(),
    });
  }

  function execute(method: "run" | "collect"): Options["runTests"] {
    return async (state, traces) => {
      const { snapshotOptions } = state.config;
      snapshotOptions.snapshotEnvironment ??= snapshotEnvironment(
        runtime.VitestSnapshotEnvironment,
        calls,
      );
      try {
        await worker.runBaseTests(method, state, traces);
      } finally {
        // Tests must not end the worker; when they are over it is its own again.
        process.exit = exit;
      }
    };
  }
}
