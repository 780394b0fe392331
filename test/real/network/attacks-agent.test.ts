import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Canary, startCanary } from "../../fixtures/canary.ts";
import {
  type AttackBench,
  type AttackedGuest,
  openAttackBench,
} from "../../support/attacked-guest.ts";

let canary: Canary;
let fine: Canary;
let attacks: AttackBench;

beforeAll(async () => {
  canary = await startCanary();
  fine = await startCanary((socket) => socket.end("HTTP/1.1 200 Fine\r\n\r\n"));
  attacks = await openAttackBench();
});
afterAll(async () => {
  await attacks?.[Symbol.asyncDispose]();
  await canary?.[Symbol.asyncDispose]();
  await fine?.[Symbol.asyncDispose]();
});

const spec = "agent: {egress: strict, allow: [fine.test]}";
const bootGuest = () =>
  attacks.boot({ egressHost: [`fine.test=127.0.0.1:${fine.port}`] }, { spec });

/** What the agent would ask the host for, in JSON that a command line can carry. */
const line = (fields: Readonly<Record<string, unknown>>) =>
  JSON.stringify(fields).replaceAll("\\", "\\\\").replaceAll('"', '\\"');

const request = "GET / HTTP/1.1\\r\\nHost: fine.test\\r\\n\\r\\n";

describe("the agent's side of the network, attacked by root in the guest", () => {
  let guest: AttackedGuest;
  beforeAll(async () => {
    guest = await bootGuest();
  });
  afterEach(async () => {
    await guest.isAlive();
    expect(canary.connections).toBe(0);
  });
  afterAll(async () => {
    await guest?.[Symbol.asyncDispose]();
  });

  /** The way that is allowed is still there. */
  const works = async () => {
    const said = await guest.attack("dns", "udp", "10.0.2.3:53", "fine.test", "1");
    expect(said.split("\n").at(-1)).toBe("198.18.0.1");
    expect(await guest.attack("say", "198.18.0.1:80", request)).toContain("200 Fine");
  };

  test("cannot be killed, stopped or taken over", async () => {
    await guest.shell(
      "for signal in KILL STOP TERM SEGV ABRT QUIT HUP USR1; do kill -$signal 1; done",
    );
    await works();
    // Its interface has an owner, and its port is open already.
    expect(await guest.attack("tun", "eth0")).toBe("busy\ninvalid\nbusy");
    expect(await guest.attack("port")).toMatch(/^busy(\nbusy)*$/);
    await works();
  });

  test("is there again when its network process is killed, and the host is told", async () => {
    for (const signal of ["KILL", "SEGV", "STOP"]) {
      await works();
      const died = {
        event: "egress_close",
        reason: "the guest's network process ended, and every connection with it",
      } as const;
      // One that stands still answers nobody; whoever can stop it can end it.
      const end = signal === "STOP" ? "sleep 1; kill -KILL $pid" : "true";
      await guest.auditing(died, () =>
        guest.shell(`pid=$(pidof microagent-network); kill -${signal} $pid; ${end}`),
      );
    }
    await works();
  });

  test("is out of reach of a user without rights", async () => {
    const { attack, shell } = guest.ordinary;
    await works();
    expect(await attack("tun", "eth0")).toMatch(/^forbidden(\nforbidden)*$/);
    expect(await attack("raw")).toBe("forbidden\nforbidden\nforbidden");
    expect(await attack("ptrace")).toBe("attach forbidden");
    // Its devices are root's, and what PID 1 has open is not shown.
    expect(await attack("port")).toMatch(/^(forbidden|none to be seen)(\nforbidden)*$/);
    expect(await attack("forge", line({ op: "tcp", dst: "127.0.0.1", port: canary.port }))).toBe(
      "the agent shows no port",
    );
    const said = await shell(`
      kill -9 1; kill -9 $(pidof microagent-network)
      cat /proc/1/mem; cat /proc/$(pidof microagent-network)/mem; cat /proc/1/environ; ls /proc/1/fd
      ip link set eth0 down; ip link del eth0; ip route del default; ip addr flush dev eth0
      ip link add eth1 type dummy; echo x > /proc/sys/kernel/core_pattern; echo x > /etc/resolv.conf
      mount -t tmpfs none /tmp`);
    expect(said.split("\n").filter((text) => !/not permitted|ermission denied/.test(text))).toEqual(
      [],
    );
    const refused = `10.1.2.3:${canary.port} refused`;
    const denied = { event: "egress_deny", dst: `10.1.2.3:${canary.port}` } as const;
    const tried = () => attack("tcp", `10.1.2.3:${canary.port}`);
    expect(await guest.auditing({ ...denied, event: "egress_internal_deny" }, tried)).toBe(refused);
    await works();
  });

  test("is the only way out, whatever the routes say", async () => {
    await works();
    const before = fine.connections;
    const said = await guest.shell(`
      ip route del default; ip -6 route del default
      /attacker tcp 198.18.0.1:80 10.1.2.3:80
      ip route add default dev lo; nc -w 2 198.18.0.1 80 < /dev/null; ip route del default
      ip link add dummy0 type dummy; ip link set dummy0 up; ip route add default dev dummy0
      nc -w 2 198.18.0.1 80 < /dev/null; ip route del default; ip link del dummy0`);
    expect(said).toContain("198.18.0.1:80 unreachable\n10.1.2.3:80 unreachable\n");
    expect(said).not.toContain(" ok");
    expect(fine.connections).toBe(before);
    await guest.shell("ip route add default via 10.0.2.2 dev eth0");
    await works();
  });

  test("survives being stopped by a debugger and let go", async () => {
    expect(await guest.attack("ptrace")).toMatch(/^attach (forbidden|ok\nstopped ok\ndetach ok)$/);
    await works();
  });

  test("gains nothing by having streams forged past it with its own descriptor", async () => {
    const port = canary.port;
    const said = await guest.attack(
      "forge",
      line({ op: "tcp", dst: "127.0.0.1", port, src_port: 1 }),
      line({ op: "tcp", dst: "::ffff:127.0.0.1", port, src_port: 2 }),
      line({ op: "tcp", dst: "64:ff9b::7f00:1", port, src_port: 3 }),
      line({ op: "tcp", dst: "0.0.0.0", port, src_port: 4 }),
      line({ op: "tcp", dst: "169.254.169.254", port: 80, src_port: 5 }),
      line({ op: "udp", dst: "127.0.0.1", port, src_port: 6 }),
      // Shapes that are none.
      line({ op: "tcp", dst: "localhost", port, src_port: 7 }),
      line({ op: "tcp", dst: "127.0.0.1", port: 0, src_port: 8 }),
      line({ op: "tcp", dst: "fe80::1%lo", port, src_port: 9 }),
      line({ op: "tcp", dst: ["127.0.0.1"], port: `${port}`, src_port: null }),
      line({ op: "secret", name: "ANYTHING" }),
      line({ op: "mediation" }),
      line({ op: "exec", argv: ["/bin/sh"] }),
      line({ op: "__proto__" }),
      line({ op: "unmediated", protocol: "icmp\nforged", dst: '{"event":"x"}', count: 1e300 }),
      line({ op: "unmediated", protocol: "a\r\nb\u001b[31m", dst: '"}\n{"event":"x"}', count: 3 }),
      "not json",
      "",
      "x".repeat(5000),
      `{\\"op\\":\\"tcp\\",`,
    );
    expect(said).toBe("forged 20");
    await guest.audited(
      { event: "egress_loop_guard", dst: `127.0.0.1:${port}` },
      { event: "egress_loop_guard", dst: `0.0.0.0:${port}` },
      { event: "egress_internal_deny", dst: "169.254.169.254:80" },
      { event: "egress_deny", signal: "unmediatable-protocol", count: 3 },
    );
    const lines = await guest.audit();
    expect(lines.every(({ runtime_id: id }) => id === guest.workspace.name)).toBe(true);
    for (const { reason, dst } of lines)
      expect(JSON.stringify(reason + dst)).not.toMatch(/\\[nrtu]/);
    await works();
  });

  test("leaves the guest without a network, and nothing else, when its interface is removed", async () => {
    await works();
    const before = fine.connections;
    const removed = {
      event: "egress_close",
      reason: "the guest's interface was removed, and every connection with it",
    } as const;
    const left = await guest.auditing(removed, () =>
      guest.shell("ip link set eth0 down; ip link del eth0; ip link"),
    );
    expect(left).not.toContain("eth0");
    expect(await guest.attack("tcp", "198.18.0.1:80", "10.1.2.3:80")).toBe(
      "198.18.0.1:80 unreachable\n10.1.2.3:80 unreachable",
    );
    // One of its own under that name leads nowhere.
    const said = await guest.shell(
      "sleep 4 | /attacker tun eth0 & sleep 1; ip addr add 10.0.2.15/24 dev eth0; ip link set eth0 up; ip route add default via 10.0.2.2; ip route; nc -w 2 198.18.0.1 80 < /dev/null; wait",
    );
    expect(said).toContain("default via 10.0.2.2");
    expect(said).toContain("taken");
    expect(said).toMatch(/timed out/);
    expect(fine.connections).toBe(before);
  });
});

test("a guest that writes noise where its agent's frames go ends itself, and is told of", async () => {
  await using guest = await bootGuest();
  // Whoever runs it is cut off by what it does.
  const attack = guest.attack("garbage", "99", "300000");
  await expect(attack).rejects.toMatchObject({ code: expect.stringMatching(/protocol|closed/) });
  await guest.audited({
    event: "egress_close",
    reason: expect.stringMatching(/^the guest was cut off: /),
    signal: "unmediatable-protocol",
  });
  // A new guest of the same host is served as before.
  await using next = await bootGuest();
  await next.isAlive();
  expect(canary.connections).toBe(0);
});
