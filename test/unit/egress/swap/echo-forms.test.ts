import fc from "fast-check";
import { expect, test } from "vitest";
import { Automaton } from "../../../../src/egress/swap/echo/automaton.ts";
import { needlesOf } from "../../../../src/egress/swap/echo/needles.ts";
import { Redaction } from "../../../../src/egress/swap/echo/redaction.ts";

type Encode = (text: string, choose: () => number) => string;

const hex = (character: string) => character.charCodeAt(0).toString(16).padStart(2, "0");
const anyCase = (text: string, choose: () => number) =>
  [...text].map((one) => (choose() % 2 === 0 ? one.toUpperCase() : one)).join("");
const each =
  (encode: Encode): Encode =>
  (text, choose) =>
    [...text].map((one) => encode(one, choose)).join("");
/** Some characters as they are. */
const some = (encode: Encode): Encode =>
  each((one, choose) => (choose() % 2 === 0 ? one : encode(one, choose)));
const base64 = (text: string) => Buffer.from(text, "latin1").toString("base64");
const lines = (text: string, length: number, end: string) =>
  (text.match(new RegExp(`.{1,${length}}`, "g")) ?? []).join(end);
const html = (text: string) =>
  text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#x27;");

/** What is around a value when a text is encoded as a whole. */
const around = (text: string, choose: () => number) =>
  `${"user:pw".slice(0, choose() % 8)}${text}${"\n}".slice(0, choose() % 3)}`;

const encodings: Readonly<Record<string, Encode>> = {
  plain: (text) => text,
  "upper case": (text) => text.toUpperCase(),
  "lower case": (text) => text.toLowerCase(),
  "percent, all": each((one) => `%${hex(one)}`),
  "percent, some, upper case": some((one) => `%${hex(one).toUpperCase()}`),
  "percent, as a URL is written": (text) => encodeURIComponent(text),
  "percent, twice": (text) => encodeURIComponent(encodeURIComponent(text)),
  hex: (text) => Buffer.from(text).toString("hex"),
  "hex, any case": (text, choose) => anyCase(Buffer.from(text).toString("hex"), choose),
  "hex with colons": (text) => [...text].map(hex).join(":"),
  "hex with blanks": (text) => [...text].map(hex).join(" "),
  "hex of C": (text) => [...text].map((one) => `0x${hex(one)}`).join(", "),
  "bytes as numbers": (text) => JSON.stringify([...Buffer.from(text)]),
  "bytes as numbers, a line each": (text) => JSON.stringify([...Buffer.from(text)], null, 2),
  JSON: (text) => JSON.stringify(text),
  "JSON in JSON": (text) => JSON.stringify(JSON.stringify(JSON.stringify(text))),
  "JSON, all": each((one) => `\\u00${hex(one)}`),
  "JSON, some": some((one, choose) => `\\u00${anyCase(hex(one), choose)}`),
  "JSON with slashes": (text) => JSON.stringify(text).replaceAll("/", "\\/"),
  "JSON in JSON, all": each((one) => `\\\\u00${hex(one)}`),
  "escapes of Python": some((one) => `\\x${hex(one)}`),
  "escapes of C": some((one) => `\\${one.charCodeAt(0).toString(8).padStart(3, "0")}`),
  "escapes of shells": (text) => text.replace(/[^A-Za-z0-9]/g, "\\$&"),
  HTML: html,
  "HTML, twice": (text) => html(html(text)),
  "HTML, numbers": some((one) => `&#${one.charCodeAt(0)};`),
  "HTML, hex": some((one) => `&#x${hex(one)};`),
  "quoted-printable": some((one) => `=${hex(one).toUpperCase()}`),
  "quoted-printable, lines": (text) => lines(text, 5, "=\r\n"),
  "UTF-16": (text) => Buffer.from(text, "utf16le").toString("latin1"),
  "UTF-32": each((one) => `${one}\0\0\0`),
  base64: (text, choose) => base64(around(text, choose)),
  base64url: (text, choose) => Buffer.from(around(text, choose)).toString("base64url"),
  "base64 in lines": (text, choose) => lines(base64(around(text, choose)), 7, "\r\n"),
  "base64 in YAML": (text, choose) => lines(base64(around(text, choose)), 9, "\n    "),
  "base64 in lines in JSON": (text, choose) =>
    JSON.stringify(lines(base64(around(text, choose)), 6, "\n")),
  "base64 in a URL": (text, choose) => encodeURIComponent(base64(around(text, choose))),
  "base64 in JSON": (text, choose) =>
    base64(around(text, choose)).replaceAll("/", "\\/").replaceAll("+", "\\u002b"),
  "base64 of base64": (text, choose) => base64(around(base64(around(text, choose)), choose)),
  "base64 of base64url": (text, choose) =>
    base64(around(Buffer.from(around(text, choose)).toString("base64url"), choose)),
};

const values = fc.string({
  unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
  minLength: 8,
  maxLength: 60,
});

function redact(value: string, pieces: readonly Buffer[]): { text: string; echoes: number } {
  let echoes = 0;
  const automaton = new Automaton(needlesOf(value));
  const redaction = new Redaction(
    () => automaton,
    () => {
      echoes += 1;
    },
  );
  const out = pieces.flatMap((piece) => redaction.push(piece));
  return { text: Buffer.concat([...out, ...redaction.end()]).toString("latin1"), echoes };
}

function cut(text: string, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let from = 0, i = 0; from < text.length; i++) {
    const to = from + (sizes[i % sizes.length] ?? 1);
    pieces.push(Buffer.from(text.slice(from, to), "latin1"));
    from = to;
  }
  return pieces;
}

test.each(Object.keys(encodings))("a value is starred out as %s, however it is cut", (name) => {
  const encode = encodings[name] as Encode;
  fc.assert(
    fc.property(
      values,
      fc.array(fc.nat(), { minLength: 1, maxLength: 20 }),
      fc.string({ unit: "binary-ascii", maxLength: 20 }),
      fc.string({ unit: "binary-ascii", maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 9 }),
      (value, choices, before, after, sizes) => {
        let at = 0;
        const choose = () => choices[at++ % choices.length] ?? 0;
        const encoded = encode(value, choose);
        const text = `${before}<${encoded}>${after}`;
        for (const pieces of [[Buffer.from(text, "latin1")], cut(text, sizes)]) {
          const given = redact(value, pieces);
          expect(given.echoes).toBeGreaterThan(0);
          expect(given.text).toHaveLength(text.length);
          const inside = given.text.slice(before.length + 1, before.length + 1 + encoded.length);
          // Of an encoded form one byte may have passed before there was anything to see in it.
          const stars = [...inside].filter((one) => one === "*").length;
          expect(inside, encoded).toMatch(/\*{7}/);
          expect(stars).toBeGreaterThanOrEqual(value.length - 1);
          // Everything that is not starred is as it was, in its place.
          [...given.text].forEach((one, i) => {
            if (one !== "*") expect(one).toBe(text[i]);
          });
          // What is left does not have the value in any form any more.
          expect(redact(value, [Buffer.from(given.text, "latin1")]).echoes).toBe(
            value.replaceAll("*", "") === "" ? given.echoes : 0,
          );
        }
      },
    ),
    { numRuns: 40 },
  );
});

test("a text without the value passes as it is, however it is cut", () => {
  fc.assert(
    fc.property(
      values,
      fc.array(fc.oneof(fc.string({ unit: "binary-ascii" }), fc.base64String(), fc.json()), {
        maxLength: 20,
      }),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 9 }),
      (value, texts, sizes) => {
        // Beginnings of every form as well, which must not stay behind.
        const begun = Object.values(encodings).map((encode) => encode(value.slice(0, -2), () => 0));
        const text = [...texts, ...begun.slice(0, texts.length)].join("\n");
        fc.pre(redact(value, [Buffer.from(text, "latin1")]).echoes === 0);
        expect(redact(value, cut(text, sizes)).text).toBe(text);
      },
    ),
  );
});
