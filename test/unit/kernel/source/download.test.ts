import { createHash } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { withOp } from "../../../../src/base/op.ts";
import { stateLayout } from "../../../../src/host/state-layout.ts";
import { installKernelFromUrl } from "../../../../src/kernel/source/download.ts";
import { fastClockOf } from "../../../support/fast-clock.ts";

/** Minutes pass in a moment. */
const factor = 50;
const fastClock = fastClockOf(factor);

let server: Server;
let stateDir: string;
let answer: (response: ServerResponse) => void;

beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), "microagent-download-"));
  server = createServer((_request, response) => answer(response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(stateDir, { recursive: true, force: true });
});

function install(): Promise<unknown> {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/vmlinuz`;
  const sha256 = createHash("sha256").update("kernel").digest("hex");
  // The op's own deadline turns a hang into another failure.
  return withOp("test", { clock: fastClock, timeoutMs: 20_000 * factor }, (op) =>
    installKernelFromUrl(op, stateLayout({ stateDir }), url, sha256),
  );
}

test.each<[string, string, (response: ServerResponse) => void]>([
  ["never answers", "it sent nothing for 30 seconds", () => {}],
  [
    "goes silent in the middle",
    "it sent nothing for 30 seconds",
    (response) => {
      response.writeHead(200, { "content-length": "1000" });
      response.write("kern");
    },
  ],
  [
    "drips",
    "it sent only ",
    (response) => {
      response.writeHead(200, { "content-length": "1000000" });
      const timer = setInterval(() => response.write("k"), 10);
      response.on("close", () => clearInterval(timer));
    },
  ],
  ["refuses", "the server answered 503", (response) => response.writeHead(503).end()],
  [
    "breaks off",
    "the transfer broke off",
    (response) => {
      response.writeHead(200, { "content-length": "1000" });
      response.write("kern", () => response.destroy());
    },
  ],
])("a server that %s ends the download with a reason", async (_what, reason, misdeed) => {
  let closed = false;
  answer = (response) => {
    response.on("close", () => {
      closed = true;
    });
    misdeed(response);
  };
  await expect(install()).rejects.toMatchObject({
    code: "kernel_fetch_failed",
    message: expect.stringContaining(reason),
  });
  while (!closed) await new Promise((resolve) => setImmediate(resolve));
  expect(await readdir(stateDir)).toEqual([]);
});
