import { duplexPair } from "node:stream";
import { describe, expect, test } from "vitest";
import { encodeExecResult, parseExecResult } from "../../../src/agent/exec-result.ts";
import { encodeFrameHead, encodeJsonFrame, frameKind } from "../../../src/agent/frame.ts";
import { MessageReader } from "../../../src/agent/message-reader.ts";
import { encodeTreeEntry, parseTreeEntry } from "../../../src/agent/tree-entry.ts";
import { TreeReader } from "../../../src/agent/tree-reader.ts";
import { startOp } from "../../../src/base/op.ts";
import { Session } from "../../../src/channel/session.ts";
import { goldenBytes } from "../../support/golden-bytes.ts";
import { dataFrame, inTime } from "../channel/sessions.ts";

interface FrameVector {
  readonly name: string;
  readonly hex: string;
  readonly frame?: { readonly kind: number; readonly length: number };
  /** The payload's value, where it is JSON. */
  readonly json?: Readonly<Record<string, unknown>>;
  readonly hole?: number;
  readonly invalid?: string;
}

/** Golden bytes that the guest's tests read too. */
const vectors = goldenBytes("frames.json") as readonly FrameVector[];

/** A reader of one stream whose guest sent exactly these bytes. */
async function readerOf(bytes: Buffer) {
  const [hostLink, guestLink] = duplexPair();
  guestLink.resume();
  const session = new Session(hostLink, "client");
  const stream = await session.open(startOp("test").op, Buffer.from("x"));
  guestLink.write(dataFrame(stream.id, bytes));
  return { session, stream, reader: new MessageReader(session, stream) };
}

describe("frames.json", () => {
  test.each(vectors.filter((vector) => vector.frame !== undefined))("$name", async (vector) => {
    const bytes = Buffer.from(vector.hex, "hex");
    const { reader, session } = await readerOf(bytes);
    await inTime(async (op) => {
      const head = await reader.head(op);
      expect(head).toEqual(vector.frame);
      expect(encodeFrameHead(head?.kind ?? 0, head?.length ?? 0)).toEqual(bytes.subarray(0, 5));
      const payload = await reader.payload(op);
      expect(payload).toEqual(bytes.subarray(5));
      if (vector.json !== undefined) {
        expect(JSON.parse(payload.toString())).toEqual(vector.json);
        expect(encodeJsonFrame(vector.frame?.kind ?? 0, vector.json)).toEqual(bytes);
      }
      if (vector.hole !== undefined) expect(payload.readBigUInt64BE()).toBe(BigInt(vector.hole));
    });
    session.close();
  });

  test.each(vectors.filter((vector) => vector.invalid !== undefined))("$name", async (vector) => {
    const { reader, stream, session } = await readerOf(Buffer.from(vector.hex, "hex"));
    await inTime(async (op) => {
      const kind = Number.parseInt(vector.hex.slice(0, 2), 16);
      const read =
        kind === frameKind.hole
          ? new TreeReader(op, stream, reader, { entriesMax: 1, bytesMax: 1 }).next()
          : reader.head(op).then(() => reader.json(op));
      await expect(read).rejects.toMatchObject({ code: "protocol_violation" });
    });
    session.close();
  });

  test.each(vectors.filter((vector) => vector.frame?.kind === frameKind.entry))(
    "$name, as an entry and back",
    ({ json }) => {
      const entry = parseTreeEntry(json);
      if (entry === null) throw new TypeError("The vector is not an entry");
      expect(encodeTreeEntry(entry)).toEqual(json);
    },
  );

  test.each(vectors.filter((vector) => vector.frame?.kind === frameKind.result))(
    "$name, as a result and back",
    ({ json }) => {
      const result = parseExecResult(json);
      if (result === null) throw new TypeError("The vector is not a result");
      const back = encodeExecResult(result);
      // Dates hold milliseconds, the wire nanoseconds.
      const rounded = (text: unknown) => `${String(text).slice(0, -6)}000000`;
      expect(back).toEqual({
        ...json,
        started_at_unix_ns: rounded(json?.started_at_unix_ns),
        ended_at_unix_ns: rounded(json?.ended_at_unix_ns),
      });
    },
  );
});
