import type { AddressInfo } from "node:net";
import { createServer, type Server, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { Agent } from "../../../src/agent/agent.ts";
import { type Op, type Progress, withOp } from "../../../src/base/op.ts";
import { Mediation } from "../../../src/workspace/mediation.ts";
import { startMemoryGuest } from "../../../supervisors/memory/guest.ts";
import type { GuestConnection } from "../../../supervisors/memory/guest-calls.ts";
import { outputOf, plainConfiguration } from "../../support/in-guest.ts";

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((done) => server.close(done));
});

async function listen(onConnection: (socket: Socket) => void): Promise<string> {
  const server = createServer({ allowHalfOpen: true }, onConnection);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const probe = (mediation: Mediation, seen: Progress[] = []) =>
  withOp("t", { timeoutMs: 20_000, onProgress: (event) => seen.push(event) }, (op) =>
    mediation.probe(op),
  );

/** What a workload gets that connects once and says a text. */
async function fromGuest(
  mediation: Mediation,
  talk: (connection: GuestConnection) => Promise<string>,
  connections = 1,
): Promise<string> {
  const guest = startMemoryGuest({
    programs: {
      talk: async (run) => {
        const answers = [];
        for (let n = 0; n < connections; n++) answers.push(await run.call({ op: "mediation" }));
        const last = answers.at(-1);
        await run.stdout(
          last === undefined || !last.ok
            ? `${last?.code}: ${last?.message}`
            : await talk(last.connection),
        );
        for (const { connection } of answers) connection.reset();
        return 0;
      },
    },
  });
  return await withOp("t", { timeoutMs: 20_000 }, async (op: Op) => {
    const agent = await Agent.connect(op, guest.hostLink, { calls: mediation.calls });
    try {
      await agent.configure(op, plainConfiguration);
      return await outputOf(op, agent, "talk");
    } finally {
      agent.close();
      guest.crash();
    }
  });
}

const echo = (socket: Socket) => socket.on("error", () => {}).pipe(socket);
const ask = async (connection: GuestConnection) => {
  await connection.write("hello ");
  await connection.write("host");
  connection.end();
  let said = "";
  for (let part = await connection.read(); part !== null; part = await connection.read())
    said += Buffer.from(part).toString();
  return said;
};

test("bytes go to the target and back, halves ended one by one", async () => {
  const mediation = new Mediation({ port: 7000, target: await listen(echo), required: true });
  expect(mediation.env).toEqual({ MICROAGENT_MEDIATION_ADDR: "127.0.0.1:7000" });
  expect(mediation.services).toEqual({ mediationPort: 7000 });
  expect(mediation.readiness).toBeNull();
  expect(await probe(mediation)).toMatchObject({ ready: true, error: null });
  expect(await fromGuest(mediation, ask)).toBe("hello host");
});

test("a target that is not there: required fails, optional is told and refused", async () => {
  const target = "127.0.0.1:1";
  await expect(probe(new Mediation({ port: 7000, target, required: true }))).rejects.toMatchObject({
    code: "mediation_unavailable",
    message: `Mediation target "${target}" does not answer (ECONNREFUSED): wanted a listener before the workload starts`,
  });
  const optional = new Mediation({ port: 7000, target, required: false });
  const seen: Progress[] = [];
  expect(await probe(optional, seen)).toMatchObject({ ready: false, error: "ECONNREFUSED" });
  expect(seen.filter(({ kind }) => kind === "warning")).toHaveLength(1);
  expect(await fromGuest(optional, ask)).toBe("refused: The mediation target does not answer");
});

test("a target that goes away is noticed at the next connection", async () => {
  const target = await listen(echo);
  const mediation = new Mediation({ port: 7000, target, required: true });
  await probe(mediation);
  for (const server of servers.splice(0)) await new Promise((done) => server.close(done));
  expect(await fromGuest(mediation, ask)).toBe("refused: The mediation target does not answer");
  expect(mediation.readiness).toMatchObject({ ready: false, error: "ECONNREFUSED" });
});

test("more than 128 connections at once are refused", async () => {
  const mediation = new Mediation({ port: 7000, target: await listen(echo), required: true });
  expect(await fromGuest(mediation, ask, 128)).toBe("hello host");
  expect(await fromGuest(mediation, ask, 129)).toBe("limit: More than 128 mediation connections");
});

test("what is no port and no target is refused", () => {
  const make = (port: number, target: string) => new Mediation({ port, target, required: true });
  expect(() => make(70_000, "127.0.0.1:1")).toThrow(/no TCP port/);
  for (const target of ["host", ":1", "host:0", "host:70000", "host:x"])
    expect(() => make(1, target)).toThrow(/wanted host:port/);
});
