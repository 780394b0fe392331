import { expect, test } from "vitest";
import { singleFileTree, type TreeItem, treeEntry } from "../../../src/agent/tree.ts";
import { MicroagentError } from "../../../src/base/errors.ts";
import { collect, command, itemsOf, withGuest } from "./guests.ts";

const file = (path: string, sizeBytes = 0): TreeItem => ({
  kind: "entry",
  entry: treeEntry({ path, type: "file", sizeBytes, mode: 0o640, mtimeSeconds: 1_700_000_000 }),
});
const dir = (path: string): TreeItem => ({
  kind: "entry",
  entry: treeEntry({ path, type: "dir" }),
});
const end: TreeItem = { kind: "entry-end" };
const text = (value: string): TreeItem => ({ kind: "data", data: Buffer.from(value) });

test("a tree goes in and comes out as it was", async () => {
  const link: TreeItem = {
    kind: "entry",
    entry: treeEntry({ path: "z", type: "symlink", mode: 0o777, link: "a/b" }),
  };
  const items = [
    dir(""),
    dir("a"),
    file("a/b", 10),
    text("hello"),
    text("world"),
    end,
    file("c"),
    end,
    link,
  ];
  await withGuest({}, async (op, agent) => {
    const sent = await agent.put(op, "/app", itemsOf(...items));
    expect(sent).toEqual({ entries: 5, bytes: 10, truncated: false });
    const back = await collect(await agent.get(op, "/app"));
    expect(back.at(-1)).toEqual({
      kind: "end",
      entries: 5,
      bytes: 10,
      truncated: false,
      counted: 0,
    });
    const entries = back.flatMap((item) => (item.kind === "entry" ? [item.entry] : []));
    expect(entries).toEqual(items.flatMap((item) => (item.kind === "entry" ? [item.entry] : [])));
    const data = back.flatMap((item) => (item.kind === "data" ? [item.data] : []));
    expect(Buffer.concat(data).toString()).toBe("helloworld");
  });
});

test("a big file, holes, and many small files", async () => {
  const big = Buffer.alloc(3_000_001, "0123456789abcdef");
  await withGuest({}, async (op, agent, guest) => {
    await agent.put(op, "/big", singleFileTree(big, { mode: 0o755 }));
    expect(guest.files.read("/big")?.equals(big)).toBe(true);
    expect(await agent.stat(op, "/big")).toMatchObject({ mode: 0o755, sizeBytes: big.length });
    const back = await collect(await agent.get(op, "/big"));
    expect(
      Buffer.concat(back.flatMap((i) => (i.kind === "data" ? [i.data] : []))).equals(big),
    ).toBe(true);

    await agent.put(op, "/holes", itemsOf(file(""), { kind: "hole", bytes: 5000 }, text("x"), end));
    expect(guest.files.read("/holes")?.length).toBe(5001);

    const many = Array.from({ length: 5000 }, (_, n) => [file(`f${n}`), text(`${n}`), end]).flat();
    expect((await agent.put(op, "/many", itemsOf(dir(""), ...many))).entries).toBe(5001);
    expect(guest.files.read("/many/f4999")?.toString()).toBe("4999");
  });
});

test("the guest's refusal ends a put, and the source is closed", async () => {
  let closed = false;
  async function* source(): AsyncIterable<TreeItem> {
    try {
      yield dir("");
      for (;;) yield text("x");
    } finally {
      closed = true;
    }
  }
  await withGuest({ files: { "/file": "" } }, async (op, agent) => {
    await expect(agent.put(op, "/file/below", source())).rejects.toMatchObject({
      code: "guest_refused",
      message: 'The guest cannot write "/file/below": /file: no such directory',
    });
    expect(closed).toBe(false);
    await expect(agent.put(op, "/no/parent", source(), { parents: false })).rejects.toMatchObject({
      code: "guest_file_not_found",
    });
  });
});

test("a source that fails is the put's failure and the agent goes on", async () => {
  const broken = new MicroagentError("invalid_argument", "No such host file");
  async function* source(): AsyncIterable<TreeItem> {
    yield dir("");
    throw broken;
  }
  await withGuest({}, async (op, agent) => {
    await expect(agent.put(op, "/app", source())).rejects.toBe(broken);
    expect((await agent.run(op, command("true"))).exitCode).toBe(0);
  });
});

test("caps are kept by the guest, and the end says so", async () => {
  await withGuest(
    { files: { "/d/a": "12345", "/d/b": "12345", "/d/c": "" } },
    async (op, agent) => {
      const few = await collect(await agent.get(op, "/d", { maxEntries: 2 }));
      expect(few.at(-1)).toMatchObject({ kind: "end", entries: 2, truncated: true });
      const small = await collect(await agent.get(op, "/d", { maxBytes: 7 }));
      expect(small.at(-1)).toMatchObject({ kind: "end", bytes: 5, truncated: true });
    },
  );
});

test("leaving a tree early stops it and the agent goes on", async () => {
  await withGuest({ files: { "/big": Buffer.alloc(8_000_000) } }, async (op, agent) => {
    for await (const item of await agent.get(op, "/big")) {
      if (item.kind === "data") break;
    }
    expect((await agent.run(op, command("true"))).exitCode).toBe(0);
    await expect(agent.get(op, "/missing")).rejects.toMatchObject({ code: "guest_file_not_found" });
  });
});
