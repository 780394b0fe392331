import { expect, test } from "vitest";
import { type Op, withOp } from "../../../src/base/op.ts";
import type { Leaving } from "../../../src/egress/leaving.ts";
import { lastBytes } from "../../../src/workspace/last-bytes.ts";

/** Waits with looks that see these, the last one from then on; returns how many round trips it took. */
async function tripsFor(
  looks: readonly (readonly Leaving[])[],
  { sent = answers, answer = answers } = {},
): Promise<number> {
  let trips = 0;
  const guest = {
    sent,
    leaving: () => looks[Math.min(trips, looks.length - 1)] ?? [],
    roundTrip: async (step: Op) => {
      trips += 1;
      await answer(step);
    },
  };
  await withOp("end", {}, (op) => lastBytes(op, guest));
  return trips;
}

const answers = async (_op: Op) => {};
const still: Leaving = { taken: 7, pending: false };

test("a guest without connections is not asked", async () => {
  expect(await tripsFor([[]])).toBe(0);
});

test("a connection at which nothing moves is left after three round trips", async () => {
  expect(await tripsFor([[still]])).toBe(3);
});

test("the guest's own word that all is sent comes before the first look", async () => {
  let isSent = false;
  const sent = async (op: Op) => {
    await op.sleep(30);
    isSent = true;
  };
  const answer = async () => expect(isSent).toBe(true);
  expect(await tripsFor([[still]], { sent, answer })).toBe(3);
  const refuses = () => Promise.reject(new Error("too many waits"));
  expect(await tripsFor([[still]], { sent: refuses })).toBe(3);
  const never = (op: Op) => op.race(new Promise<void>(() => {}));
  expect(await tripsFor([[still]], { sent: never })).toBe(0);
});

test("bytes that still come, or still wait for their receiver, begin the count anew", async () => {
  const moves = { taken: 9, pending: false };
  expect(await tripsFor([[still], [still], [moves]])).toBe(2 + 3);
  expect(await tripsFor([[still], [{ ...still, pending: true }], [still]])).toBe(1 + 3);
});

test("the last connection's end is the end of the wait", async () => {
  expect(await tripsFor([[{ taken: 1, pending: true }], []])).toBe(1);
});

test("a receiver that takes nothing, and a guest that no longer answers, end it all the same", async () => {
  expect(await tripsFor([[{ taken: 1, pending: true }]])).toBeGreaterThan(3);
  const silent = (op: Op) => op.race(new Promise<void>(() => {}));
  expect(await tripsFor([[still]], { answer: silent })).toBe(1);
  expect(await tripsFor([[still]], { answer: () => Promise.reject(new Error("gone")) })).toBe(1);
});
