import { describe, expect, test } from "vitest";
import { decodeHeader, encodeHeader, type FrameHeader } from "../../../src/channel/frame.ts";
import { FrameDecoder } from "../../../src/channel/frame-decoder.ts";
import { handshakeMark, parseGuestHello, protocolVersion } from "../../../src/channel/handshake.ts";
import { goldenBytes } from "../../support/golden-bytes.ts";

interface YamuxVector {
  readonly name: string;
  readonly hex: string;
  readonly frame?: FrameHeader;
  readonly body?: string;
  /** The part of the header that is wrong. */
  readonly invalid?: string;
}

describe("yamux.json", () => {
  const vectors = goldenBytes("yamux.json") as readonly YamuxVector[];
  test("has both kinds", () => {
    expect(vectors.filter((vector) => vector.frame !== undefined).length).toBeGreaterThan(10);
    expect(vectors.filter((vector) => vector.invalid !== undefined).length).toBeGreaterThan(5);
  });

  test.each(vectors)("$name", ({ hex, frame, body, invalid }) => {
    const bytes = Buffer.from(hex, "hex");
    if (frame === undefined) {
      expect(() => decodeHeader(bytes)).toThrow(invalid);
      return;
    }
    expect(decodeHeader(bytes)).toEqual(frame);
    expect(encodeHeader(frame)).toEqual(bytes.subarray(0, 12));
    const bodies: Buffer[] = [];
    const sink = { onHeader: () => {}, onBody: (b: Buffer) => bodies.push(b), onBodyEnd: () => {} };
    new FrameDecoder(sink).push(bytes);
    expect(Buffer.concat(bodies).toString()).toBe(body ?? "");
  });
});

interface HandshakeVectors {
  readonly session: string;
  readonly host: string;
  readonly guest: readonly {
    readonly name: string;
    readonly line: string;
    readonly hello?: Readonly<Record<string, unknown>>;
    /** The host's error code. */
    readonly invalid?: string;
  }[];
}

describe("handshake.json", () => {
  const vectors = goldenBytes("handshake.json") as HandshakeVectors;

  test("the host's line", () => {
    const { session } = vectors;
    const line = `${handshakeMark}${JSON.stringify({ v: protocolVersion, session })}\n`;
    expect(line).toBe(vectors.host);
  });

  test.each(vectors.guest)("$name", ({ line, hello, invalid }) => {
    const parse = () => parseGuestHello(Buffer.from(line.replace(/\n$/, "")), vectors.session);
    if (hello === undefined) {
      expect(parse).toThrow(expect.objectContaining({ code: invalid }));
      return;
    }
    const { agent, kernel, arch, uptime_ms: uptimeMs } = hello;
    expect(parse()).toEqual({ session: vectors.session, agent, kernel, arch, uptimeMs });
  });
});
