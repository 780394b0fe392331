import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { isMicroagentError, type MicroagentError } from "../../../src/base/errors.ts";
import { limits } from "../../../src/base/limits.ts";
import type { Op } from "../../../src/base/op.ts";
import type { ChannelStream } from "../../../src/channel/stream.ts";
import {
  type PortForward,
  type PublishedPorts,
  publishPorts,
} from "../../../src/workspace/published-ports.ts";
import type { GuestPorts } from "../../../src/workspace/socket-bridge.ts";
import { inTime, sessionPair } from "../channel/sessions.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A guest whose port is served by `serve`, over a real session. */
function guestServing(op: Op, serve: (stream: ChannelStream) => Promise<void>): GuestPorts {
  const { host, guest } = sessionPair((stream) => {
    serve(stream).catch(() => stream.reset());
  });
  cleanups.push(
    () => host.close(),
    () => guest.close(),
  );
  return { connectPort: () => host.open(op) };
}

async function published(op: Op, forwards: readonly PortForward[]): Promise<PublishedPorts> {
  const ports = await publishPorts(op, forwards);
  cleanups.push(() => ports.close());
  return ports;
}

const anyPort: PortForward = { host: "127.0.0.1", hostPort: 0, guestPort: 80 };

function dial(ports: PublishedPorts, host = "127.0.0.1"): Socket {
  const socket = connect({ host, port: ports.forwards[0]?.hostPort ?? 0, allowHalfOpen: true });
  socket.on("error", () => {});
  cleanups.push(() => socket.destroy());
  return socket;
}

async function all(socket: Socket): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of socket.iterator({ destroyOnReturn: false })) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

async function untilEnd(op: Op, stream: ChannelStream): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for (let part = await stream.read(op); part !== null; part = await stream.read(op)) {
    parts.push(part);
  }
  return Buffer.concat(parts);
}

test("the end of the client's half is passed on, and the answer still comes", () =>
  inTime(async (op) => {
    const ports = await published(op, [anyPort]);
    ports.attach(
      guestServing(op, async (stream) => {
        const said = await untilEnd(op, stream);
        await stream.write(op, Buffer.from(`heard ${said}`));
        stream.end();
      }),
    );
    expect(ports.forwards[0]?.hostPort).toBeGreaterThan(0);
    const socket = dial(ports);
    socket.end("hello");
    expect(await all(socket)).toBe("heard hello");
  }));

test("the end of the guest's half is passed on, and the client can still speak", () =>
  inTime(async (op) => {
    const ports = await published(op, [anyPort]);
    let heard = (_text: string) => {};
    const whole = new Promise<string>((resolve) => {
      heard = resolve;
    });
    ports.attach(
      guestServing(op, async (stream) => {
        await stream.write(op, Buffer.from("bye"));
        stream.end();
        heard((await untilEnd(op, stream)).toString());
      }),
    );
    const socket = dial(ports);
    expect(await all(socket)).toBe("bye");
    socket.end("still here");
    expect(await whole).toBe("still here");
  }));

test("4 MiB each way arrive whole, through windows smaller than that", () =>
  inTime(async (op) => {
    const ports = await published(op, [anyPort]);
    ports.attach(
      guestServing(op, async (stream) => {
        for (let part = await stream.read(op); part !== null; part = await stream.read(op)) {
          await stream.write(op, part);
        }
        stream.end();
      }),
    );
    const sent = Buffer.from(Array.from({ length: 4 * 1024 * 1024 }, (_, i) => (i * 7 + 3) & 0xff));
    const socket = dial(ports);
    socket.end(sent);
    const back = Buffer.from(await new Response(socket as never).arrayBuffer());
    expect(back.equals(sent)).toBe(true);
  }));

test("a port nobody serves in the guest resets the connection, and the next one works", () =>
  inTime(async (op) => {
    const ports = await published(op, [anyPort]);
    const refuses: GuestPorts = { connectPort: () => Promise.reject(new Error("refused")) };
    ports.attach(refuses);
    const socket = dial(ports);
    const [error] = await once(socket, "error");
    expect((error as NodeJS.ErrnoException).code).toBe("ECONNRESET");

    ports.attach(
      guestServing(op, async (stream) => {
        stream.end();
      }),
    );
    expect(await all(dial(ports))).toBe("");
  }));

test("a reset on either side resets the other", () =>
  inTime(async (op) => {
    const ports = await published(op, [anyPort]);
    let sawReset = () => {};
    const reset = new Promise<void>((resolve) => {
      sawReset = resolve;
    });
    let first = true;
    ports.attach(
      guestServing(op, async (stream) => {
        const closes = first;
        first = false;
        stream.onFailure(() => sawReset());
        await stream.write(op, Buffer.from("x"));
        if (closes) stream.reset();
      }),
    );
    const byGuest = dial(ports);
    byGuest.resume();
    const [error] = await once(byGuest, "error");
    expect((error as NodeJS.ErrnoException).code).toBe("ECONNRESET");
    const byClient = dial(ports);
    await once(byClient, "data");
    byClient.resetAndDestroy();
    await reset;
  }));

test("before the guest answers, and beyond the bound, connections are reset", () =>
  inTime(async (op) => {
    const ports = await published(op, [anyPort]);
    const early = dial(ports);
    await once(early, "error");

    ports.attach(guestServing(op, (stream) => stream.write(op, Buffer.from("x"))));
    const served = Array.from({ length: limits.ports.connectionsMax }, () => dial(ports));
    await Promise.all(served.map((socket) => once(socket, "data")));
    const late = dial(ports);
    const [error] = await once(late, "error");
    expect((error as NodeJS.ErrnoException).code).toBe("ECONNRESET");
  }));

test("closing resets what is open and frees the port", () =>
  inTime(async (op) => {
    const ports = await published(op, [anyPort]);
    ports.attach(guestServing(op, (stream) => stream.write(op, Buffer.from("x"))));
    const socket = dial(ports);
    await once(socket, "data");
    const gone = once(socket, "error");
    await ports.close();
    await gone;
    const port = ports.forwards[0]?.hostPort ?? 0;
    const again = await published(op, [{ ...anyPort, hostPort: port }]);
    expect(again.forwards[0]?.hostPort).toBe(port);
  }));

test("localhost is both loopback addresses at one port", () =>
  inTime(async (op) => {
    const ports = await published(op, [{ ...anyPort, host: "localhost" }]);
    ports.attach(
      guestServing(op, async (stream) => {
        await stream.write(op, Buffer.from("hi"));
        stream.end();
      }),
    );
    expect(await all(dial(ports, "127.0.0.1"))).toBe("hi");
    expect(await all(dial(ports, "::1"))).toBe("hi");
  }));

test("a taken port names the process that has it, and no other port stays open", () =>
  inTime(async (op) => {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    cleanups.push(() => server.close());
    const taken = (server.address() as { port: number }).port;
    const free = await published(op, [anyPort]);
    const freePort = free.forwards[0]?.hostPort ?? 0;
    await free.close();

    const error = await publishPorts(op, [
      { ...anyPort, hostPort: freePort },
      { ...anyPort, hostPort: taken },
    ]).then(() => null, wellKnown);
    expect(error?.code).toBe("port_taken");
    expect(error?.message).toMatch(
      new RegExp(
        `^Host port 127\\.0\\.0\\.1:${taken} is taken by ".+" \\(process ${process.pid}\\)$`,
      ),
    );
    const after = await published(op, [{ ...anyPort, hostPort: freePort }]);
    expect(after.forwards[0]?.hostPort).toBe(freePort);
  }));

test("an address that is not this host's is refused", () =>
  inTime(async (op) => {
    const error = await publishPorts(op, [{ ...anyPort, host: "192.0.2.1" }]).then(
      () => null,
      wellKnown,
    );
    expect(error?.message).toBe(
      'Host address "192.0.2.1" is none of this host: wanted one that it has',
    );
  }));

function wellKnown(error: unknown): MicroagentError {
  if (isMicroagentError(error)) return error;
  throw error;
}
