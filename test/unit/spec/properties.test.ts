import fc from "fast-check";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { isMicroagentError } from "../../../src/base/errors.ts";
import { parseSpec } from "../../../src/spec/load.ts";
import { mergeSpec } from "../../../src/spec/merge.ts";
import { renderPlan } from "../../../src/spec/render-plan.ts";
import { unsupportedUses } from "../../../src/spec/unsupported.ts";

const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/);
const line = fc
  .string({ minLength: 1, maxLength: 40 })
  .filter((text) => text.trim() !== "" && !text.includes("\0"));
const guestPath = fc
  .array(fc.stringMatching(/^[A-Za-z0-9_]{1,8}$/), { minLength: 1, maxLength: 4 })
  .map((parts) => `/${parts.join("/")}`);
const port = fc.integer({ min: 1, max: 65535 });
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

const spec = fc.record(
  {
    name,
    image: fc.constantFrom(
      "docker.io/library/debian:13",
      "oci:./image",
      "mmdebstrap:trixie?include=a,b",
    ),
    profile: fc.constantFrom("tiny", "small", "medium", "large"),
    restart: fc.constantFrom("never", "on-failure", "always"),
    entrypoint: line,
    shell: guestPath,
    hostname: fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/),
    setup: fc.array(fc.oneof(line, fc.record({ run: line }), fc.record({ file: line }))),
    setupFiles: fc.array(line),
    files: fc.uniqueArray(
      fc.record({ src: line, dst: guestPath, mode: fc.stringMatching(/^0[0-7]{3}$/) }),
      { selector: (file) => file.dst },
    ),
    env: fc.dictionary(
      fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,10}$/),
      fc.string().filter((text) => !text.includes("\0")),
    ),
    resources: fc.record(
      { memoryMiB: fc.integer({ min: 64, max: 65536 }), cpuCount: fc.integer({ min: 1, max: 64 }) },
      { requiredKeys: [] },
    ),
    network: fc.record(
      {
        mode: fc.constantFrom("user", "nat", "bridged"),
        forwards: fc.uniqueArray(fc.record({ hostPort: port, guestPort: port }), {
          selector: (forward) => forward.hostPort,
        }),
      },
      { requiredKeys: [] },
    ),
    outputs: fc.uniqueArray(fc.record({ name, path: guestPath }), {
      selector: (output) => output.name,
    }),
    agent: fc.record(
      {
        entry: line,
        egress: fc.constantFrom("guarded", "strict", "off"),
        allow: fc.array(fc.domain()),
        "cred-swap": fc.uniqueArray(fc.constantFrom("openai", "anthropic=env:A", "groq=file:/k")),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
);

test("a spec that is written and read again is the same", () => {
  fc.assert(
    fc.property(spec, fc.boolean(), (value, flow) => {
      const options = flow ? { collectionStyle: "flow" as const } : {};
      const once = parseSpec(stringify(value, options), "f", "/base").spec;
      expect(once).toEqual(value);
      expect(parseSpec(stringify(once), "f", "/base").spec).toEqual(once);
    }),
    { numRuns: 80 },
  );
});

test("every spec merges into a plan that prints, the same each time", () => {
  fc.assert(
    fc.property(spec, optional(name), (value, flag) => {
      const file = parseSpec(stringify(value), "f", "/base");
      const merge = () =>
        mergeSpec({ flags: { name: flag ?? "fixed" }, file, surface: "run", cwd: "/cwd" });
      const plan = merge();
      expect(JSON.stringify(renderPlan(merge()))).toBe(JSON.stringify(renderPlan(plan)));
      expect(plan.shell).toBe(value.shell ?? "/bin/sh");
      expect(Object.keys(plan.env).sort()).toEqual(Object.keys(value.env ?? {}).sort());
      for (const use of unsupportedUses(plan)) expect(use.line).toBeGreaterThan(0);
    }),
    { numRuns: 80 },
  );
});

/** Pieces that, put together at random, come near YAML and near a spec. */
const piece = fc.constantFrom(
  ..."\n|\n  |\n    |\t| |: |- |? |: \n|&a |*a|<<: *a|<<|!!str |!x |--- |---\n|...\n|%YAML 1.1\n|[|]|{|}|,|'|\"|\\|#|| |>|>-|@|`|\u0000|\u0085|\ufeff|\u2028|\ud800|🚀|null|~|0x1F|.nan|1e999".split(
    "|",
  ),
  ..."name|image|env|agent|resources|memoryMiB|setup|files|src|dst|outputs|path|cred-swap|egress|network|mode|forwards|hostPort|__proto__|constructor|health|exec|mediation|port".split(
    "|",
  ),
);

const garbage = fc.oneof(
  fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join("")),
  fc.string({ unit: "binary", maxLength: 200 }),
  fc.json({ maxDepth: 6 }),
  // A sound spec with something put into it.
  fc.tuple(spec, piece, fc.nat()).map(([value, insert, where]) => {
    const text = stringify(value);
    const at = where % (text.length + 1);
    return text.slice(0, at) + insert + text.slice(at);
  }),
);

test("no text ends in anything but a spec or one of our errors, with a place in the text", () => {
  fc.assert(
    fc.property(garbage, (text) => {
      try {
        parseSpec(text, "f", "/base");
      } catch (error) {
        if (!isMicroagentError(error)) throw error;
        expect(error.code).toBe("spec_invalid");
        expect(error.message).toMatch(/^f:[1-9]\d*:[1-9]\d*: [A-Z][^\n]*[^.\n]$/u);
        expect(error.details.line).toBeLessThanOrEqual(text.split("\n").length);
      }
    }),
    { numRuns: 600 },
  );
});

/** What a slip of the hand puts in; a known field name would give the text another meaning. */
const slip = piece.filter((text) => !/^[A-Za-z]{2,}$/.test(text));

/** A number sign, and an ordinary character, make one text of a mapping and all below it. */
test.each(["#\n", "x\n"])("a mapping that became a text by %j hides its secrets", (slipped) => {
  const secret = "sk-SECRET-0123456789";
  const text = `agent:\n  cred-swap:${slipped}\n    - openai=${secret}\n    - ${secret}\n`;
  const parse = () => parseSpec(text, "f", "/base");
  expect(parse).toThrow(/wanted a mapping/);
  expect(parse).not.toThrow(secret);
});

test("a secret stays hidden wherever a file breaks behind it", () => {
  const secret = "sk-SECRET-0123456789";
  const before = `env:\n  KEY: ${secret}\n  OTHER: "${secret}"\nagent:\n  cred-swap:\n    - openai=${secret}\n    - ${secret}\n`;
  fc.assert(
    fc.property(
      fc.nat(),
      fc.array(slip, { minLength: 1, maxLength: 4 }),
      line,
      (where, pieces, tail) => {
        const at = 4 + (where % (before.length - 3));
        const text = before.slice(0, at) + pieces.join("") + before.slice(at) + tail;
        try {
          parseSpec(text, "f", "/base");
        } catch (error) {
          if (!isMicroagentError(error)) throw error;
          expect(JSON.stringify([error.message, error.hint, error.details])).not.toContain(secret);
        }
      },
    ),
    { numRuns: 600 },
  );
});
