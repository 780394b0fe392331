import { afterAll, beforeAll, expect, test } from "vitest";
import type { GuestCalls } from "../../../src/agent/guest-calls.ts";
import { type NetworkGuest, openNetworkGuest } from "../../support/network-guest.ts";

let guest: NetworkGuest;
const unmediated: string[] = [];
const resets: number[] = [];

const calls: GuestCalls = {
  async tcp(op, call, stream) {
    const bytes = stream.accept();
    bytes.onFailure(() => resets.push(call.port));
    for (let piece = await bytes.read(op); piece !== null; piece = await bytes.read(op)) {
      if (call.port === 80) await bytes.write(op, piece);
    }
    bytes.end();
  },
  async unmediated(_op, call) {
    unmediated.push(call.protocol);
  },
};

beforeAll(async () => {
  guest = await openNetworkGuest(calls);
});
afterAll(async () => {
  await guest?.[Symbol.asyncDispose]();
});

test("there is no network process until something is sent", async () => {
  const ask = "pidof microagent-network || echo none";
  expect(await guest.shell(ask)).toBe("none\n");
  await guest.shell("ping -c 1 10.0.2.2");
  expect(await guest.shell(ask)).toMatch(/^[0-9]+\n$/);
});

test("when it dies, connections are reset at both ends, the host is told, and the network goes on", async () => {
  const text =
    await guest.shell(`( nc 203.0.113.5 9000 </dev/zero >/dev/null 2>/tmp/busy || touch /tmp/busy-ended ) >/dev/null 2>&1 &
( sleep 60 | nc 203.0.113.5 9001 >/dev/null 2>&1 ) >/dev/null 2>&1 &
while [ $(grep -c ' 01 ' /proc/net/tcp) -lt 2 ]; do sleep 0.1; done
kill -9 $(pidof microagent-network)
while [ ! -e /tmp/busy-ended ] || grep -q ' 01 ' /proc/net/tcp; do sleep 0.1; done
cat /tmp/busy
printf after | nc 203.0.113.5 80
killall sleep`);
  expect(text).toContain("reset by peer");
  expect(text).toContain("after");
  await expect.poll(() => [...resets].sort()).toEqual([9000, 9001]);
  await expect.poll(() => unmediated).toContain("network-restart");
});
