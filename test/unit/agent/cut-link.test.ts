import { duplexPair } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Agent } from "../../../src/agent/agent.ts";
import { singleFileTree } from "../../../src/agent/tree.ts";
import { isMicroagentError } from "../../../src/base/errors.ts";
import { type Op, withOp } from "../../../src/base/op.ts";
import { startMemoryGuest } from "../../../supervisors/memory/guest.ts";
import { checkProperty } from "../channel/sessions.ts";
import { collect, command, configuration } from "./guests.ts";

/** A guest whose link breaks after so many bytes towards the host; counts what went through. */
function cutAfter(bytesMax: number): {
  link: ReturnType<typeof duplexPair>[0];
  passed: () => number;
} {
  const guest = startMemoryGuest({ files: { "/d/a": "alpha", "/d/b": Buffer.alloc(200_000) } });
  const [link, far] = duplexPair();
  let passed = 0;
  far.on("error", () => {});
  far.on("data", (chunk: Buffer) => guest.hostLink.write(chunk));
  guest.hostLink.on("error", () => {});
  guest.hostLink.on("data", (chunk: Buffer) => {
    const part = chunk.subarray(0, bytesMax - passed);
    passed += part.length;
    if (!far.destroyed) far.write(part);
    if (passed < bytesMax || far.destroyed) return;
    setImmediate(() => {
      far.destroy();
      link.push(null);
      guest.crash();
    });
  });
  return { link, passed: () => passed };
}

/** Everything an agent can do, one after the other and some at once. */
async function scenario(op: Op, agent: Agent): Promise<void> {
  await agent.configure(op, configuration);
  await Promise.all([
    agent.run(op, command("cat"), { stdin: Buffer.alloc(50_000) }),
    agent.put(op, "/in", singleFileTree(Buffer.alloc(50_000))),
    agent.get(op, "/d").then(collect),
    agent.readdir(op, "/"),
    agent.stat(op, "/d"),
    agent.ping(op),
  ]);
}

async function runCut(bytesMax: number): Promise<{ code: string; passed: number }> {
  const { link, passed } = cutAfter(bytesMax);
  return await withOp("test", { timeoutMs: 10_000 }, async (op) => {
    try {
      const agent = await Agent.connect(op, link);
      try {
        await scenario(op, agent);
      } finally {
        agent.close();
      }
      return { code: "none", passed: passed() };
    } catch (error) {
      if (!isMicroagentError(error)) throw error;
      return { code: error.code, passed: passed() };
    }
  });
}

test("a link that breaks at any byte ends every call with one reason", async () => {
  const whole = await runCut(Number.POSITIVE_INFINITY);
  expect(whole.code).toBe("none");
  await checkProperty(
    fc.asyncProperty(
      fc.oneof(fc.integer({ min: 1, max: 2000 }), fc.integer({ min: 1, max: whole.passed - 1 })),
      async (bytesMax) => {
        // The last bytes may be of frames nobody waits for.
        expect(["channel_closed", "none"]).toContain((await runCut(bytesMax)).code);
      },
    ),
    40,
  );
});
