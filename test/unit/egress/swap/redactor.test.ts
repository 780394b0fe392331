import { Readable } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Automaton } from "../../../../src/egress/swap/echo/automaton.ts";
import { needlesOf } from "../../../../src/egress/swap/echo/needles.ts";
import { EchoGuard } from "../../../../src/egress/swap/redactor.ts";

function guardOf(values: readonly string[], onEcho: () => void): EchoGuard {
  const automaton = new Automaton(values.flatMap(needlesOf));
  return new EchoGuard(() => automaton, onEcho);
}

async function through(guard: EchoGuard, parts: readonly Buffer[]): Promise<string> {
  const out: Buffer[] = [];
  for await (const part of Readable.from(parts).pipe(guard.stream())) out.push(part);
  return Buffer.concat(out).toString("latin1");
}

test("a value is hidden however its bytes are cut, and nothing else is changed", async () => {
  const value = "abcabcabd-key";
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.constant(value), fc.constant("abcabc"), fc.string({ maxLength: 8 })), {
        maxLength: 12,
      }),
      fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 60 }),
      async (texts, cuts) => {
        const text = Buffer.from(texts.join(""), "latin1").toString("latin1");
        const parts: Buffer[] = [];
        let rest = text;
        for (let i = 0; rest !== ""; i++) {
          const length = cuts[i % cuts.length] ?? 1;
          parts.push(Buffer.from(rest.slice(0, length), "latin1"));
          rest = rest.slice(length);
        }
        const guard = guardOf([value], () => {});
        expect(await through(guard, parts)).toBe(text.replaceAll(value, "*".repeat(value.length)));
      },
    ),
    { numRuns: 300 },
  );
});

test("only an end that may begin a value waits", () => {
  const guard = guardOf(["sk-secret"], () => {});
  const stream = guard.stream();
  stream.write(Buffer.from("data: one\n\n"));
  expect(String(stream.read())).toBe("data: one\n\n");
  stream.write(Buffer.from("two sk-s"));
  expect(String(stream.read())).toBe("two ");
  stream.write(Buffer.from("low"));
  expect(String(stream.read())).toBe("sk-slow");
});

test("one value inside of another, and the callback only when there was one", async () => {
  let echoes = 0;
  const guard = guardOf(["key-long", "key-long-er"], () => {
    echoes += 1;
  });
  expect(await through(guard, [Buffer.from("none")])).toBe("none");
  expect(echoes).toBe(0);
  expect(await through(guard, [Buffer.from("<key-long-er><key-long>")])).toBe(
    "<***********><********>",
  );
  expect(echoes).toBe(1);
  expect(guard.text("Bearer key-long")).toBe("Bearer ********");
});

test("what the writer gave is left as it was", async () => {
  const given = Buffer.from("a key-long b");
  await through(
    guardOf(["key-long"], () => {}),
    [given],
  );
  expect(String(given)).toBe("a key-long b");
});

test("a value of stars alone, as masked settings hold, ends the search as well", () => {
  let echoes = 0;
  const guard = guardOf(["********"], () => {
    echoes += 1;
  });
  expect(guard.text("key: ********, again ********")).toBe("key: ********, again ********");
  expect(echoes).toBe(1);
});
