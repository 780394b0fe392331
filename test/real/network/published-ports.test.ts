import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { resultJson } from "../../../src/workspace/result-json.ts";
import { openWorkbench, type Workbench } from "../../fixtures/workbench.ts";

let bench: Workbench;
beforeAll(async () => {
  bench = await openWorkbench();
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

/**
 * Runs a command with one published port and talks to it while it runs. A run ends with its talk's failure; a talk may
 * outlast its run by what is on its way.
 */
async function withPort(exec: string, guestPort: number, talk: (port: number) => Promise<void>) {
  const ending = new AbortController();
  let known = (_port: number) => {};
  const port = new Promise<number>((resolve) => {
    known = resolve;
  });
  const running = bench.run(
    { exec, publish: [`0:${guestPort}`] },
    {
      signal: ending.signal,
      onProgress: (event) => {
        const found =
          event.kind === "note" ? /127\.0\.0\.1:(\d+)$/.exec(event.text)?.[1] : undefined;
        if (found !== undefined) known(Number(found));
      },
    },
  );
  const tooLate = running.then(async ({ termination }): Promise<never> => {
    await sleep(10_000);
    throw new Error(`The run ended with ${JSON.stringify(termination)} before the talk was over`);
  });
  tooLate.catch(() => {});
  try {
    await Promise.race([port.then(talk), tooLate]);
  } catch (error) {
    ending.abort();
    await running;
    throw error;
  }
  return { result: await running, hostPort: await port };
}

/** Says something, ends its half, and returns what comes back; tries until the service listens. */
async function exchange(port: number, text: string): Promise<string> {
  for (;;) {
    const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    try {
      socket.end(text);
      const parts: Buffer[] = [];
      for await (const part of socket) parts.push(part as Buffer);
      return Buffer.concat(parts).toString();
    } catch {
      // Reset: the guest has not booted, or nobody listens in it yet.
      await sleep(100);
    }
  }
}

test("a service on the guest's loopback is reached at a port the host picked", async () => {
  const exec = `
mkdir -p /srv/cgi-bin
printf '#!/bin/sh\\nprintf "Content-Type: text/plain\\\\r\\\\n\\\\r\\\\nfrom the guest"\\ntouch /tmp/done\\n' > /srv/cgi-bin/done
chmod 755 /srv/cgi-bin/done
httpd -p 127.0.0.1:8080 -h /srv
while [ ! -e /tmp/done ]; do sleep 0.1; done; sleep 1
`;
  let body = "";
  const { result, hostPort } = await withPort(exec, 8080, async (port) => {
    for (;;) {
      try {
        body = await (await fetch(`http://127.0.0.1:${port}/cgi-bin/done`)).text();
        return;
      } catch {
        await sleep(100);
      }
    }
  });
  expect(body).toBe("from the guest");
  expect(result.termination).toEqual({ kind: "exited", exitCode: 0 });
  expect(resultJson(result)).toMatchObject({
    network: { forwards: [{ protocol: "tcp", host: "127.0.0.1", hostPort, guestPort: 8080 }] },
  });
});

test("half-close goes through to the guest and back", async () => {
  const sent = "x".repeat(200_000);
  let back = "";
  const { result } = await withPort("nc -l -p 9000 -e /bin/cat", 9000, async (port) => {
    back = await exchange(port, sent);
  });
  expect(back).toBe(sent);
  expect(result.termination).toEqual({ kind: "exited", exitCode: 0 });
});

test("a slow client gets what a service had sent when it ended, and the run with it", async () => {
  const size = 400_000;
  let got = 0;
  const exec = `head -c ${size} /dev/zero > /big; nc -l -p 9000 -e cat /big`;
  const { result } = await withPort(exec, 9000, async (port) => {
    while (got === 0) {
      got = await bytesOf(connect({ host: "127.0.0.1", port, allowHalfOpen: true }));
      await sleep(100);
    }
  });
  expect(got).toBe(size);
  expect(result.termination).toEqual({ kind: "exited", exitCode: 0 });
});

/** Bytes that come until the connection ends; after the first, nothing is read for as long as a guest needs to end. */
async function bytesOf(socket: Socket): Promise<number> {
  let count = 0;
  socket.on("error", () => {});
  socket.on("end", () => socket.end());
  socket.on("data", (part) => {
    if (count === 0) void sleep(700, socket.pause()).then(() => socket.resume());
    count += part.length;
  });
  await new Promise((resolve) => socket.once("close", resolve));
  return count;
}
