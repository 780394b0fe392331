import { createSocket } from "node:dgram";
import type { Clock } from "../base/op.ts";

const freshMs = 30_000;
/** Any public address will do: nothing is sent to it. */
const somewhere = "2001:4860:4860::8888";

/** Whether this host has a way to the IPv6 world, asked of its routing table every half minute. */
export class Ipv6Route {
  readonly #clock: Clock;
  #answer: Promise<boolean> = Promise.resolve(false);
  #askedAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get exists(): Promise<boolean> {
    const now = this.#clock.monotonic();
    if (now - this.#askedAt >= freshMs) {
      this.#askedAt = now;
      this.#answer = probe();
    }
    return this.#answer;
  }
}

/** Connecting a UDP socket chooses a route and sends nothing. */
function probe(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket("udp6");
    const done = (answer: boolean) => {
      socket.removeAllListeners();
      socket.on("error", () => {});
      socket.close();
      resolve(answer);
    };
    socket.once("error", () => done(false));
    socket.once("connect", () => done(true));
    socket.connect(53, somewhere);
  });
}
