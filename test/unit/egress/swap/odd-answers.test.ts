import { expect, test } from "vitest";
import { gateTo } from "../../../fixtures/gate-to.ts";
import { getH1, getH2, realKey, upstreamH1 } from "../../../fixtures/swap-gate.ts";

/** A server that writes its answers byte by byte as they are. */
const saying = (text: string) =>
  upstreamH1((message) => {
    for (const byte of Buffer.from(text, "latin1")) message.socket.write(Buffer.of(byte));
    message.socket.end();
  });

const stars = "*".repeat(realKey.length);

test.each([
  ["line ends of LF", "HTTP/1.1 200 OK\nX-A: 1\nContent-Length: 2\n\nok", "1"],
  ["a folded field", "HTTP/1.1 200 OK\r\nX-A: 1,\r\n\t 2\r\nContent-Length: 2\r\n\r\nok", "1, 2"],
  [
    "a key in a folded field",
    `HTTP/1.1 200 OK\r\nX-A: a\r\n ${realKey}\r\nContent-Length: 2\r\n\r\nok`,
    `a ${stars}`,
  ],
  [
    "two equal lengths",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\ncontent-length: 2\r\n\r\nok",
    "1",
  ],
  ["a list of equal lengths", "HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 2, 2\r\n\r\nok", "1"],
  [
    "hints before it",
    "HTTP/1.1 103 Hints\nLink: a\n\nHTTP/1.1 200 OK\nX-A: 1\nContent-Length: 2\n\nok",
    "1",
  ],
])("an answer with %s is read", async (_, text, value) => {
  const gate = await gateTo(saying(text));
  for (const get of [getH1, getH2]) {
    const answer = await get(gate);
    expect(answer).toMatchObject({ status: 200, body: "ok" });
    expect(answer.headers["x-a"]).toBe(value);
  }
});

test.each([
  ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok"],
  [
    "a length and chunks",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  ],
  ["a NUL in a field", "HTTP/1.1 200 OK\r\nX-A: \0\r\n\r\n"],
  ["another protocol", "SSH-2.0-OpenSSH\r\n\r\n"],
  ["a blank before a colon", "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok"],
])("an answer with %s is a 502 that says why, and so does the audit", async (_, text) => {
  const gate = await gateTo(saying(text));
  const answer = await getH1(gate);
  expect(answer.status).toBe(502);
  expect(answer.body).toMatch(/^microagent: The answer cannot be read \(HPE_\w+\)\n$/);
  expect(gate.events.at(-1)?.reason).toMatch(/^unreadable-answer: cannot be read \(HPE_\w+\)$/);
});
