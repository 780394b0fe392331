import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseChallenges } from "../../../../src/image/registry/challenge.ts";

describe("a WWW-Authenticate header", () => {
  test.each([
    [
      'Bearer realm="https://auth.example/token",service="registry",scope="repository:a/b:pull,push"',
      [
        {
          scheme: "bearer",
          parameters: {
            realm: "https://auth.example/token",
            service: "registry",
            scope: "repository:a/b:pull,push",
          },
        },
      ],
    ],
    ['BASIC realm="x"', [{ scheme: "basic", parameters: { realm: "x" } }]],
    ["Basic", [{ scheme: "basic", parameters: {} }]],
    [
      'Negotiate, Bearer realm="r" , service=s, Basic realm = "b"',
      [
        { scheme: "negotiate", parameters: {} },
        { scheme: "bearer", parameters: { realm: "r", service: "s" } },
        { scheme: "basic", parameters: { realm: "b" } },
      ],
    ],
    [
      'Negotiate YWJj==, Basic realm="b"',
      [
        { scheme: "negotiate", parameters: {} },
        { scheme: "basic", parameters: { realm: "b" } },
      ],
    ],
    ['Bearer realm="a\\"b\\\\c"', [{ scheme: "bearer", parameters: { realm: 'a"b\\c' } }]],
    ['Bearer realm="never closed', [{ scheme: "bearer", parameters: {} }]],
    ['Bearer realm="1",realm="2"', [{ scheme: "bearer", parameters: { realm: "1" } }]],
    ["", []],
    [", ,", []],
    ['"', []],
  ])("%s", (header, challenges) => {
    expect(
      parseChallenges(header).map((one) => ({ ...one, parameters: { ...one.parameters } })),
    ).toEqual(challenges);
  });

  test("is read back from any parameters", () => {
    const name = fc.stringMatching(/^[a-z]{1,8}$/);
    const quoted = (value: string) => `"${value.replace(/[\\"]/g, "\\$&")}"`;
    const challenge = fc.record({ scheme: name, parameters: fc.dictionary(name, fc.string()) });
    fc.assert(
      fc.property(fc.array(challenge, { minLength: 1, maxLength: 3 }), (list) => {
        const header = list
          .map(({ scheme, parameters }) => {
            const pairs = Object.entries(parameters).map(
              ([key, value]) => `${key}=${quoted(value)}`,
            );
            return `${scheme} ${pairs.join(", ")}`.trim();
          })
          .join(", ");
        const read = parseChallenges(header);
        expect(read.map((one) => ({ ...one, parameters: { ...one.parameters } }))).toEqual(
          list.map((one) => ({ ...one, parameters: { ...one.parameters } })),
        );
      }),
    );
  });

  test("ends for any text", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (text) => {
        parseChallenges(text);
      }),
    );
  });
});
