import { inspect } from "node:util";
import { expect, test } from "vitest";
import { Secret } from "../../../src/secret/secret.ts";

const value = "hunter2-hunter2";
const secret = () => new Secret(Buffer.from(value));

test("a secret shows nothing of itself wherever it is printed", () => {
  const seen = [
    String(secret()),
    `${secret()}`,
    JSON.stringify({ secret: secret() }),
    inspect(secret(), { showHidden: true, depth: 9 }),
    inspect({ deep: { list: [secret()] } }, { depth: 9 }),
    inspect(structuredClone(secret())),
    Object.entries(secret()).join(),
    new Error(`failed with ${secret()}`, { cause: secret() }).message,
  ].join("\n");
  expect(seen).not.toContain("hunter2");
  expect(seen).not.toContain(Buffer.from(value).toString("base64"));
  expect(seen).not.toContain("104, 117"); // its first bytes
});

test("a secret gives its exact bytes, and text less one line break", () => {
  expect(Buffer.from(new Secret(Buffer.from("a\n\n")).bytes()).toString()).toBe("a\n\n");
  expect(new Secret(Buffer.from("a\n\n")).text()).toBe("a\n");
  expect(new Secret(Buffer.from("a\r\n")).text()).toBe("a");
  expect(new Secret(Buffer.from("a")).byteLength).toBe(1);
});

test("bytes that are no text are refused without being shown", () => {
  const binary = new Secret(Uint8Array.of(0x68, 0xff, 0x75));
  const error = caught(() => binary.text());
  expect(error).toMatchObject({ code: "secret_unusable" });
  expect(error).not.toHaveProperty("cause");
});

function caught(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}
