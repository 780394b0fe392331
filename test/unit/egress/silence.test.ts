import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { limits } from "../../../src/base/limits.ts";
import { defaultEgressCaps } from "../../../src/egress/policy.ts";
import { type ManualClock, manualClock } from "../../support/manual-clock.ts";
import { settle } from "../channel/sessions.ts";
import { type Connection, mapped, type Network, withNetwork, withServer } from "./guest-network.ts";

const { tcpIdleMs, halfClosedIdleMs } = limits.egress;
const sweepMs = 15_000;

/** A guest that may have one connection, which goes to `serve`. */
async function withOnePlace(
  serve: (socket: Socket) => void,
  work: (network: Network, clock: ManualClock) => Promise<void>,
): Promise<void> {
  const clock = manualClock();
  await withServer(serve, async (port) => {
    const policy = {
      hostMap: mapped({ "api.test": port }),
      caps: { ...defaultEgressCaps, connections: 1 },
    };
    await withNetwork({ policy, clock }, async (network) => {
      await network.lookUp("api.test");
      await work(network, clock);
    });
  });
}

/** Lets time pass, and whatever comes of it happen. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= sweepMs) {
    clock.advance(Math.min(left, sweepMs));
    await settle();
  }
  for (let i = 0; i < 20; i++) await settle();
}

const connect = (network: Network) => network.tcp("198.18.0.1", 99);

async function isReset(network: Network, { stream }: Connection): Promise<void> {
  await expect(stream.read(network.op)).rejects.toMatchObject({ code: "channel_closed" });
}

/** Its line of the end, as soon as the place is free again. */
async function freed(network: Network): Promise<void> {
  await expect.poll(async () => (await connect(network)).answer.ok).toBe(true);
}

const silent = (socket: Socket) => void socket.resume();

test("a connection on which nothing is said ends after an hour, and gives its place back", async () => {
  await withOnePlace(silent, async (network, clock) => {
    const connection = await connect(network);
    await connection.write("hello");
    await pass(clock, tcpIdleMs - 2 * sweepMs);
    expect((await connect(network)).answer).toMatchObject({ ok: false, code: "limit" });
    await pass(clock, 3 * sweepMs);
    await isReset(network, connection);
    await freed(network);
    expect(await network.events()).toContainEqual(
      expect.objectContaining({ event: "egress_close", reason: "idle", bytes_sent: 5 }),
    );
  });
});

describe("a connection of which one half has ended", () => {
  test("ends soon when its server stays silent, and gives its place back", async () => {
    await withOnePlace(silent, async (network, clock) => {
      const connection = await connect(network);
      await connection.write("question");
      connection.stream.end();
      await pass(clock, halfClosedIdleMs + 2 * sweepMs);
      await isReset(network, connection);
      await freed(network);
    });
  });

  test("ends soon when its guest stays silent, and gives its place back", async () => {
    await withOnePlace(
      (socket) => void socket.resume().end("answer"),
      async (network, clock) => {
        const connection = await connect(network);
        expect(await connection.readAll()).toBe("answer");
        await pass(clock, halfClosedIdleMs + 2 * sweepMs);
        expect(connection.stream.failed).toBe(true);
        await freed(network);
      },
    );
  });

  test("stays as long as something moves, and a whole one stays silent for longer", async () => {
    let speak = (_text: string) => {};
    const chatty = (socket: Socket) => {
      speak = (text) => void socket.write(text);
      socket.resume();
    };
    await withOnePlace(chatty, async (network, clock) => {
      const connection = await connect(network);
      await connection.write("question");
      await pass(clock, halfClosedIdleMs + 2 * sweepMs);
      connection.stream.end();
      for (const word of ["one", "two", "three"]) {
        await pass(clock, halfClosedIdleMs - 2 * sweepMs);
        speak(word);
        expect(await connection.read()).toBe(word);
      }
    });
  });
});
