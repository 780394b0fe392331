import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { rules } from "../../support/egress-policy.ts";
import { settle } from "../channel/sessions.ts";
import { mapped, withNetwork, withServer } from "./guest-network.ts";

const echo = (socket: import("node:net").Socket) => void socket.pipe(socket);

test("a mapped name is given a stand-in address, and connects to where it is mapped", async () => {
  await withServer(echo, async (port) => {
    await withNetwork({ policy: { hostMap: mapped({ "api.test": port }) } }, async (network) => {
      const [address = ""] = await network.lookUp("api.test");
      expect(address).toBe("198.18.0.1");
      const connection = await network.tcp(address, 9999);
      expect(connection.answer).toEqual({ ok: true });
      await connection.write("hello");
      expect(await connection.read()).toBe("hello");
      connection.stream.end();
      expect(await connection.readAll()).toBe("");
      const events = await network.events();
      expect(events.map(({ event }) => event)).toEqual([
        "egress_listen",
        "egress_dns_allow",
        "egress_allow",
        "egress_close",
      ]);
      expect(events[2]).toMatchObject({ host: "api.test", dst: "198.18.0.1:9999" });
      expect(events[3]).toMatchObject({ reason: "closed", bytes_sent: 5, bytes_received: 5 });
      expect(events[3]?.operation_id).toBe(events[2]?.operation_id);
    });
  });
});

test("a guest that ends its half still hears the whole answer, and the other way round", async () => {
  const onConnection = (socket: import("node:net").Socket) => {
    socket.resume();
    // Only after the guest's end: the answer needs the other half to stay open.
    socket.on("end", () => socket.end("x".repeat(3_000_000)));
  };
  await withServer(onConnection, async (port) => {
    await withNetwork({ policy: { hostMap: mapped({ "api.test": port }) } }, async (network) => {
      await network.lookUp("api.test");
      const connection = await network.tcp("198.18.0.1", 99);
      await connection.write("question");
      connection.stream.end();
      expect((await connection.readAll()).length).toBe(3_000_000);
    });
  });
  const onHalf = (socket: import("node:net").Socket) => {
    let heard = 0;
    socket.write("bye");
    socket.end();
    socket.on("data", (chunk) => {
      heard += chunk.length;
      if (heard === 1_000_000) done(heard);
    });
  };
  let done: (bytes: number) => void = () => {};
  const heard = new Promise<number>((resolve) => {
    done = resolve;
  });
  await withServer(onHalf, async (port) => {
    await withNetwork({ policy: { hostMap: mapped({ "api.test": port }) } }, async (network) => {
      await network.lookUp("api.test");
      const connection = await network.tcp("198.18.0.1", 99);
      expect(await connection.readAll()).toBe("bye");
      await connection.write(Buffer.alloc(1_000_000, "y"));
      connection.stream.end();
      expect(await network.op.race(heard)).toBe(1_000_000);
    });
  });
});

test("64 MiB go both ways at once, byte for byte", async () => {
  await withServer(echo, async (port) => {
    await withNetwork({ policy: { hostMap: mapped({ "api.test": port }) } }, async (network) => {
      await network.lookUp("api.test");
      const { stream } = await network.tcp("198.18.0.1", 99);
      const block = Buffer.from(Array.from({ length: 1 << 20 }, (_, at) => (at * 31) & 0xff));
      const there = createHash("sha256");
      const back = createHash("sha256");
      const send = async () => {
        for (let i = 0; i < 64; i++) {
          there.update(block);
          await stream.write(network.op, block);
        }
        stream.end();
      };
      const receive = async () => {
        for (;;) {
          const piece = await stream.read(network.op);
          if (piece === null) return;
          back.update(piece);
        }
      };
      await Promise.all([send(), receive()]);
      expect(back.digest("hex")).toBe(there.digest("hex"));
    });
  });
});

test("a server that nobody reads is held back, and a guest that nobody reads as well", async () => {
  let written = 0;
  const flood = (socket: import("node:net").Socket) => {
    const more = () => {
      while (written < 200_000_000) {
        written += 65536;
        if (!socket.write(Buffer.alloc(65536))) return void socket.once("drain", more);
      }
    };
    more();
  };
  await withServer(flood, async (port) => {
    await withNetwork({ policy: { hostMap: mapped({ "api.test": port }) } }, async (network) => {
      await network.lookUp("api.test");
      const connection = await network.tcp("198.18.0.1", 99);
      let before = -1;
      while (before !== written) {
        before = written;
        for (let i = 0; i < 20; i++) await settle();
        await network.op.sleep(50);
      }
      expect(written).toBeLessThan(50_000_000);
      connection.stream.reset();
    });
  });
});

test("a reset passes through, from either side", async () => {
  let onClosed: (hadError: string) => void = () => {};
  const closed = new Promise<string>((resolve) => {
    onClosed = resolve;
  });
  const onConnection = (socket: import("node:net").Socket) => {
    socket.on("error", (error) => onClosed((error as NodeJS.ErrnoException).code ?? ""));
    socket.on("data", (data) => {
      if (data.toString() === "die") socket.resetAndDestroy();
    });
  };
  await withServer(onConnection, async (port) => {
    await withNetwork({ policy: { hostMap: mapped({ "api.test": port }) } }, async (network) => {
      await network.lookUp("api.test");
      const one = await network.tcp("198.18.0.1", 99);
      await one.write("die");
      await expect(one.read()).rejects.toMatchObject({ code: "channel_closed" });
      const two = await network.tcp("198.18.0.1", 99);
      await two.write("live");
      await settle();
      two.stream.reset();
      expect(await network.op.race(closed)).toBe("ECONNRESET");
    });
  });
});

test("a closed port is refused, and the audit says so", async () => {
  let free = 0;
  await withServer(echo, async (port) => {
    free = port;
  });
  await withNetwork({ policy: { hostMap: mapped({ "api.test": free }) } }, async (network) => {
    await network.lookUp("api.test");
    const { answer } = await network.tcp("198.18.0.1", 99);
    expect(answer).toMatchObject({ ok: false, code: "refused" });
    expect((await network.events()).at(-1)).toMatchObject({ event: "egress_dial_error" });
  });
});

test("connections beyond the cap are refused, and a place is free again after one ends", async () => {
  await withServer(echo, async (port) => {
    const caps = { bytesPerSecond: null, totalBytes: 1_000_000, connections: 3 };
    const policy = { hostMap: mapped({ "api.test": port }), caps };
    await withNetwork({ policy }, async (network) => {
      await network.lookUp("api.test");
      const open = await Promise.all([1, 2, 3].map(() => network.tcp("198.18.0.1", 99)));
      expect(open.map(({ answer }) => answer.ok)).toEqual([true, true, true]);
      const fourth = await network.tcp("198.18.0.1", 99);
      expect(fourth.answer).toMatchObject({ ok: false, code: "limit" });
      open[0]?.stream.reset();
      for (let i = 0; i < 20; i++) await settle();
      expect((await network.tcp("198.18.0.1", 99)).answer.ok).toBe(true);
      const events = await network.events();
      expect(events.filter(({ event }) => event === "egress_cap_exceeded")).toHaveLength(1);
    });
  });
});

test("the total of bytes ends the flow that breaks it, and no other begins", async () => {
  await withServer(echo, async (port) => {
    const caps = { bytesPerSecond: null, totalBytes: 100_000, connections: 3 };
    const policy = { hostMap: mapped({ "api.test": port }), caps };
    await withNetwork({ policy }, async (network) => {
      await network.lookUp("api.test");
      const connection = await network.tcp("198.18.0.1", 99);
      const flooded = connection.write(Buffer.alloc(200_000)).then(() => connection.readAll());
      await expect(flooded).rejects.toMatchObject({ code: "channel_closed" });
      const next = await network.tcp("198.18.0.1", 99);
      expect(next.answer).toMatchObject({ ok: false, code: "limit" });
      const events = await network.events();
      expect(events.map(({ event }) => event)).toContain("egress_cap_exceeded");
    });
  });
});

test("a rate lets everything through, a little later", async () => {
  await withServer(echo, async (port) => {
    const caps = { bytesPerSecond: 4_000_000, totalBytes: 1e9, connections: 3 };
    const policy = { hostMap: mapped({ "api.test": port }), caps };
    await withNetwork({ policy }, async (network) => {
      await network.lookUp("api.test");
      const connection = await network.tcp("198.18.0.1", 99);
      const text = "abcdefgh".repeat(100_000);
      const sending = connection.write(text).then(() => connection.stream.end());
      const heard = await connection.readAll();
      expect(heard.length).toBe(text.length);
      expect(heard === text).toBe(true);
      await sending;
    });
  });
});

test("closing the gate ends every flow", async () => {
  await withServer(echo, async (port) => {
    await withNetwork({ policy: { hostMap: mapped({ "api.test": port }) } }, async (network) => {
      await network.lookUp("api.test");
      const connection = await network.tcp("198.18.0.1", 99);
      await network.close();
      await expect(connection.readAll()).rejects.toMatchObject({ code: "channel_closed" });
      expect((await network.tcp("198.18.0.1", 99)).answer.ok).toBe(false);
    });
  });
});

test("an address that is listed is reached, also an inside one", async () => {
  await withServer(echo, async (port) => {
    await withNetwork({ policy: { allow: rules(`127.0.0.1:${port}`) } }, async (network) => {
      const connection = await network.tcp("127.0.0.1", port);
      await connection.write("hello");
      expect(await connection.read()).toBe("hello");
      expect((await network.tcp("127.0.0.1", port + 1)).answer).toMatchObject({ code: "denied" });
    });
  });
});
