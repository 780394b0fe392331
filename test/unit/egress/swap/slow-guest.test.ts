import { once } from "node:events";
import { expect, test } from "vitest";
import { limits } from "../../../../src/base/limits.ts";
import { realClock } from "../../../../src/base/op.ts";
import { guestTls, openGate } from "../../../fixtures/swap-gate.ts";

test.each([
  ["sends half a head", ["http/1.1"], "GET / HTTP/1.1\r\nHost: a"],
  ["sends nothing", ["http/1.1"], ""],
  [
    "opens HTTP/2 and asks for nothing",
    ["h2"],
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
  ],
] as const)("a guest that %s is let go when its time is over", async (_, ALPNProtocols, text) => {
  const timers = new Set<() => void>();
  const after = (ms: number, callback: () => void) => {
    if (ms !== limits.swap.headMs) return realClock.after(ms, callback);
    timers.add(callback);
    return () => void timers.delete(callback);
  };
  const gate = await openGate({ upstreamPort: 1, clock: { ...realClock, after } });
  const socket = await guestTls(gate, { ALPNProtocols: [...ALPNProtocols] });
  socket.on("error", () => {});
  socket.resume();
  if (text !== "") socket.write(text);
  while (timers.size === 0) await new Promise((resolve) => setImmediate(resolve));
  const closed = once(socket, "close");
  for (const timer of timers) timer();
  await closed;
  expect(gate.dials.count).toBe(0);
  await gate.close();
});
