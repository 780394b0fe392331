import { describe, expect, test } from "vitest";
import { summarizeAudit } from "../../../src/egress/audit-log.ts";
import type { AuditSummary } from "../../../src/egress/audit-summary.ts";
import { helloMessage, plainHello, records } from "../../fixtures/hello.ts";
import { rules } from "../../support/egress-policy.ts";
import { type Connection, mapped, type Network, withNetwork, withServer } from "./guest-network.ts";

/** A listed name and one that is listed with ports, both at a server that says back what it has heard. */
async function withEcho(
  work: (network: Network, heard: () => string) => Promise<void>,
  greeting = "",
): Promise<AuditSummary> {
  let heard = "";
  let summary = summarizeAudit([]);
  await withServer(
    (socket) => {
      if (greeting !== "") socket.write(greeting);
      socket.on("data", (data) => {
        heard += data.toString("latin1");
        socket.write(data);
      });
      socket.on("end", () => socket.end("bye"));
    },
    async (port) => {
      const policy = {
        mode: "strict",
        allow: rules("bare.test", "port.test:7000-7002", "port.test:443"),
        hostMap: mapped({ "bare.test": port, "port.test": port }),
      } as const;
      await withNetwork({ policy }, async (network) => {
        await work(network, () => heard);
        summary = summarizeAudit(await network.events());
      });
    },
  );
  return summary;
}

const bare = "198.18.0.1";
const named = "198.18.0.2";

async function isReset(connection: Connection): Promise<void> {
  await expect(connection.readAll()).rejects.toMatchObject({ code: "channel_closed" });
}

const hello = (name: string | null) =>
  Buffer.from(
    records(helloMessage({ ...plainHello, names: name === null ? null : [name] }), 16_384),
    "latin1",
  );
const bytes = (text: string) => Buffer.from(text, "latin1");

const unnamed: readonly (readonly [string, Buffer])[] = [
  ["TLS that names no server", hello(null)],
  ["HTTP/2 without TLS", bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")],
  ["a line of text", bytes("EHLO me\r\n")],
  ["text that begins with an empty line", bytes("\r\nUSER me\r\n")],
  ["a request to PostgreSQL for TLS", bytes("\0\0\0\x08\x04\xd2\x16\x2f")],
  ["a command of Redis", bytes("*1\r\n$4\r\nPING\r\n")],
  ["a request without a Host", bytes("GET / HTTP/1.0\r\n\r\n")],
];

describe("what names nobody", () => {
  test.each(unnamed)("%s passes where the port is listed", async (_what, text) => {
    await withEcho(async (network) => {
      const connection = await network.tcp(named, 7001);
      await connection.write(text);
      expect(await connection.read()).toBe(text.toString("latin1"));
    });
  });

  test.each(unnamed)(
    "%s is denied on every port of a bare name, with the entry that would allow it",
    async (_what, text) => {
      const summary = await withEcho(async (network, heard) => {
        for (const port of [7001, 443]) {
          const connection = await network.tcp(bare, port);
          await connection.write(text);
          await isReset(connection);
        }
        expect(heard()).toBe("");
      });
      expect(summary.allowable).toEqual(["bare.test:443", "bare.test:7001"]);
      expect(summary.deny_reasons?.["bare.test"]).toMatch(/: list bare\.test:7001$/);
    },
  );

  test("text without a line's end passes at once when it is all there is, and is answered", async () => {
    await withEcho(async (network) => {
      const connection = await network.tcp(named, 7000);
      await connection.write("no newline");
      connection.stream.end();
      expect(await connection.readAll()).toBe("no newlinebye");
    });
  });

  test("a line that is typed passes when it has waited, and is a request all the same if it becomes one", async () => {
    await withEcho(async (network, heard) => {
      const typed = await network.tcp(named, 7000);
      await typed.write("US");
      expect(await typed.read()).toBe("US");
      await typed.write("ER me\r\n");
      expect(await typed.read()).toBe("ER me\r\n");
      const turned = await network.tcp(named, 7000);
      await turned.write("GE");
      expect(await turned.read()).toBe("GE");
      await turned.write("T / HTTP/1.1\r\nHost: evil.test\r\n\r\n");
      await isReset(turned);
      expect(heard()).not.toContain("HTTP");
    });
  });

  test("a server that speaks first is heard at once, and answered in its own words", async () => {
    await withEcho(async (network) => {
      const connection = await network.tcp(named, 7002);
      expect(await connection.read()).toBe("220 here\r\n");
      await connection.write("EHLO me\r\n");
      expect(await connection.read()).toBe("EHLO me\r\n");
    }, "220 here\r\n");
  });
});

describe("what names another host is denied though the port is listed", () => {
  test.each([
    ["TLS", hello("evil.test")],
    ["TLS for a listed name at another place", hello("bare.test")],
    ["TLS for what is no name", hello("port.test#.evil.test")],
    ["a request", bytes("GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n")],
    ["a request with an odd method", bytes("X_Y / HTTP/1.1\r\nHost: evil.test\r\n\r\n")],
    ["a request behind a blank", bytes(" GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n")],
    ["a request without a version", bytes("GET http://evil.test/\r\n")],
    [
      "the PROXY protocol",
      bytes("PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\nGET / HTTP/1.1\r\nHost: evil.test\r\n\r\n"),
    ],
    ["an alert before TLS", bytes("\x15\x03\x01\x00\x02\x01\x00")],
    ["an empty record", bytes("\x16\x03\x01\x00\x00")],
  ])("%s", async (_what, text) => {
    const summary = await withEcho(async (network, heard) => {
      const connection = await network.tcp(named, 7000);
      await connection.write(text);
      await isReset(connection);
      expect(heard()).toBe("");
    });
    expect(summary.allowable).toEqual([]);
  });
});

test("a name that is listed for some ports says for which", async () => {
  const summary = await withEcho(async (network) => {
    expect((await network.tcp(named, 7003)).answer).toMatchObject({
      ok: false,
      message: '"port.test" is listed for port 7000-7002, 443 only',
    });
  });
  expect(summary.allowable).toEqual(["port.test:7003"]);
});

test("UDP needs the port in the list", async () => {
  const summary = await withEcho(async (network) => {
    expect((await network.udp(bare, 123)).answer).toMatchObject({ ok: false, code: "denied" });
    expect((await network.udp(named, 7001)).answer).toMatchObject({ ok: true });
    expect((await network.udp(named, 443)).answer).toMatchObject({ ok: false, code: "denied" });
  });
  expect(summary.allowable).toEqual(["bare.test:123"]);
  expect(summary.deny_by_host).toEqual({ "bare.test": 1 });
});

test("a malformed name has a signal of its own, and the audit has the bytes of the wire", async () => {
  const summary = await withEcho(async (network) => {
    const connection = await network.tcp(bare, 80);
    await connection.write("GET / HTTP/1.1\r\nHost: bare.test#.evil.test\x01\r\n\r\n");
    await isReset(connection);
    const other = await network.tcp(bare, 80);
    await other.write(bytes("GET / HTTP/1.1\r\nHost: bare.test\xa0.evil.test\r\n\r\n"));
    await isReset(other);
    const events = await network.events();
    const denied = events.filter(({ event }) => event === "egress_deny");
    expect(denied).toMatchObject([
      { signal: "unmediatable-protocol" },
      { signal: "malformed-name", host: "bare.test\xa0.evil.test" },
    ]);
  });
  expect(summary.allowable).toEqual([]);
});

describe("through a proxy", () => {
  /** Answers CONNECT with a yes, and everything else with what it has heard. */
  async function withProxy(work: (network: Network) => Promise<void>): Promise<AuditSummary> {
    let summary = summarizeAudit([]);
    await withServer(
      (socket) => {
        socket.on("data", (data) => {
          const connect = data.toString("latin1").startsWith("CONNECT ");
          const ok = "HTTP/1.1 200 OK\r\n";
          socket.write(connect ? `${ok}\r\n` : `${ok}Content-Length: 2\r\n\r\nok`);
        });
      },
      async (port) => {
        const policy = {
          mode: "strict",
          allow: rules("proxy.test", "web.test", "other.test", "ssh.test:22"),
          hostMap: mapped({ "proxy.test": port }),
        } as const;
        await withNetwork({ policy }, async (network) => {
          await work(network);
          summary = summarizeAudit(await network.events());
        });
      },
    );
    return summary;
  }
  const connectTo = (to: string) => `CONNECT ${to} HTTP/1.1\r\nHost: ${to}\r\n\r\n`;
  const tunnel = async (network: Network, to: string) => {
    const connection = await network.tcp(bare, 3128);
    await connection.write(connectTo(to));
    expect(await connection.read()).toContain("200 OK");
    return connection;
  };

  test("each host of one connection has its line", async () => {
    const summary = await withProxy(async (network) => {
      const connection = await network.tcp(bare, 3128);
      for (const host of ["web.test", "web.test", "other.test", "web.test"]) {
        await connection.write(`GET http://${host}/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
        expect(await connection.read()).toContain("ok");
      }
    });
    expect(summary.allow_by_host).toEqual({ "web.test": 1, "other.test": 1 });
  });

  test("a tunnel carries what its target may be sent, once the proxy has agreed", async () => {
    await withProxy(async (network) => {
      const ssh = await tunnel(network, "ssh.test:22");
      await ssh.write("SSH-2.0-x\r\n");
      expect(await ssh.read()).toContain("ok");
      const tls = await tunnel(network, "web.test:443");
      await tls.write(hello("web.test"));
      expect(await tls.read()).toContain("ok");
      const plain = await tunnel(network, "web.test:80");
      await plain.write("GET / HTTP/1.1\r\nHost: web.test\r\n\r\n");
      expect(await plain.read()).toContain("ok");
      for (const text of [
        hello("evil.test"),
        hello("other.test"),
        bytes("SSH-2.0-x\r\n"),
        bytes("GET / HTTP/1.1\r\nHost: other.test\r\n\r\n"),
      ]) {
        const refused = await tunnel(network, "web.test:443");
        await refused.write(text);
        await isReset(refused);
      }
    });
  });

  test("bytes before it has agreed, and a body, are denied", async () => {
    await withProxy(async (network) => {
      for (const text of [
        Buffer.concat([bytes(connectTo("web.test:443")), hello("web.test")]),
        bytes("CONNECT web.test:443 HTTP/1.1\r\nHost: web.test:443\r\nContent-Length: 1\r\n\r\nx"),
        bytes(connectTo("web.test:443") + connectTo("web.test:443")),
      ]) {
        const connection = await network.tcp(bare, 3128);
        await connection.write(text);
        await isReset(connection);
      }
    });
  });

  test("a target that is not listed is what a list would need", async () => {
    const summary = await withProxy(async (network) => {
      for (const to of ["far.test:443", "db.far.test:5432", "169.254.169.254:80"]) {
        const connection = await network.tcp(bare, 3128);
        await connection.write(connectTo(to));
        await isReset(connection);
      }
    });
    expect(summary.allowable).toEqual(["db.far.test:5432", "far.test"]);
  });
});
