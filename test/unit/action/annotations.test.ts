import { expect, test } from "vitest";
import { annotateRun } from "../../../action/annotate.ts";
import { Annotations } from "../../../action/annotations.ts";
import { failuresOf } from "../../../action/conclusion.ts";
import { flagsOf } from "../../../action/flags.ts";
import { egressFacts } from "../../../action/run-facts.ts";
import { MicroagentError } from "../../../src/index.ts";
import { parseSpec } from "../../../src/spec/load.ts";
import { mergeSpec } from "../../../src/spec/merge.ts";
import { nothingCollected } from "../../../src/workspace/outputs.ts";
import { auditOf, exited, resultOf } from "./sample-result.ts";
import { settingsOf } from "./sample-settings.ts";

interface Seen {
  readonly kind: string;
  readonly message: string;
  readonly at: Readonly<Record<string, unknown>>;
}

function recorder() {
  const seen: Seen[] = [];
  const to =
    (kind: string) =>
    (message: string, at: object = {}) => {
      seen.push({ kind, message, at: { ...at } });
    };
  const sink = { error: to("error"), warning: to("warning"), notice: to("notice") };
  return { seen, annotations: new Annotations(sink) };
}

const text =
  "image: oci:./x\nagent:\n  allow: [ok.example]\n  entry: make\noutputs: [{ name: a, path: /a }]\n";

function annotated(
  result: ReturnType<typeof resultOf>,
  ifNoArtifacts = "warn" as const,
  failOn = settingsOf({ image: "x" }).failOn,
) {
  const spec = parseSpec(text, "agent.yaml", "/");
  const settings = settingsOf({ file: "agent.yaml" });
  const flags = flagsOf(settings, { name: "w", outputDir: "/out" }, spec);
  const plan = mergeSpec({ flags, file: spec, surface: "dispatch", cwd: "/" });
  const { seen, annotations } = recorder();
  const failures = failuresOf(result, 0, failOn);
  annotateRun(annotations, plan, result, egressFacts(result), spec, ifNoArtifacts, failures);
  return seen;
}

test("five of each kind, each as long as the runner shows it", () => {
  const { seen, annotations } = recorder();
  for (let count = 0; count < 9; count += 1) {
    annotations.add("error", "x".repeat(10_000));
    annotations.add("warning", "w");
  }
  expect(seen.filter(({ kind }) => kind === "error")).toHaveLength(5);
  expect(seen.filter(({ kind }) => kind === "warning")).toHaveLength(5);
  expect(Math.max(...seen.map(({ message }) => message.length))).toBeLessThan(4096);
});

test("a failed command is shown at its entry, a passed one not at all", () => {
  expect(annotated(resultOf())).toEqual([]);
  expect(annotated(resultOf({ termination: exited(3) }))).toMatchObject([
    {
      kind: "error",
      message: "The command exited with 3",
      at: { file: "agent.yaml", startLine: 4 },
    },
  ]);
});

test("a failure that does not fail the step is a warning", () => {
  const [told] = annotated(resultOf({ termination: exited(3) }), "warn", new Set());
  expect(told?.kind).toBe("warning");
});

test("a refused host comes with the lines that allow it, a hostile name and a metadata service without", () => {
  const seen = annotated(
    resultOf({
      audit: auditOf({ "pypi.example": 3, "169.254.169.254": 2, "::set-env name=a": 1 }, {}, [
        "::set-env name=a",
        "pypi.example:8443",
      ]),
    }),
  );
  expect(seen).toHaveLength(3);
  expect(seen[0]).toMatchObject({ kind: "warning", at: { file: "agent.yaml", startLine: 2 } });
  expect(seen[0]?.message).toContain('"pypi.example" 3 times');
  expect(seen[0]?.message).toContain('agent:\n  allow: [ok.example, "pypi.example:8443"]');
  expect(seen[1]?.message).not.toContain("allow:");
  expect(seen[2]?.message).not.toContain("allow:");
});

test("outputs that are missing or broken are told, or not, as it was asked for", () => {
  const error = new MicroagentError("no_space", "The disk is full");
  const outputs = { ...nothingCollected, missing: ["a"], incomplete: [{ output: "b", error }] };
  const kinds = (how: "warn" | "error" | "ignore") =>
    annotated(resultOf({ outputs }), how as "warn").map(({ kind, message }) => [kind, message]);
  const broken = ["warning", 'Output "b" did not come out whole: The disk is full'];
  expect(kinds("warn")).toEqual([broken, ["warning", 'Output "a" does not exist in the guest']]);
  expect(kinds("error")[1]?.[0]).toBe("error");
  expect(kinds("ignore")).toEqual([broken]);
});
