import { describe, expect, test } from "vitest";
import type { Flags } from "../../../src/spec/flags.ts";
import { fieldRows } from "../../../src/spec/generate/field-table.ts";
import { mergeSpec } from "../../../src/spec/merge.ts";
import { fieldSupport } from "../../../src/spec/support.ts";
import { unsupportedError, unsupportedUses } from "../../../src/spec/unsupported.ts";
import { parsed } from "./spec-texts.ts";

const plan = (flags: Flags, text?: string) =>
  mergeSpec({ flags, file: text === undefined ? null : parsed(text), surface: "dispatch" });

describe("a field that is not built yet is named where it is used", () => {
  test.each([
    ["restart: always", "restart"],
    ["service: a", "service"],
    ["model: m", "model"],
    ["modelRunner: {gpu: on}", "modelRunner"],
    ["modelMediation: {mode: local-allow}", "modelMediation"],
    ["network: {mode: bridged}", "network.mode"],
    ["network: {routes: [10.0.0.0/8]}", "network.routes"],
    ["health: {exec: [a]}", "health"],
    ["disks: [{name: a, path: a, mountpoint: /a, mode: ro}]", "disks"],
    ["bundles: [{name: a, path: a, mountpoint: /a, mode: ro}]", "bundles"],
    ["agent: {broker: {upstream: 'http://a'}}", "agent.broker"],
    ["agent: {brokers: [{upstream: 'http://a'}]}", "agent.brokers"],
  ])("%j", (text, field) => {
    const uses = unsupportedUses(plan({}, `# first line\n${text}`));
    expect(uses.map((use) => use.field)).toEqual([field]);
    const error = unsupportedError(plan({}, `# first line\n${text}`));
    expect(error?.code).toBe("not_supported_yet");
    expect(error?.message).toMatch(
      /^microagent\.yaml:2:\d+: Field ".*" (is "\w+", which )?is not supported yet by this release$/,
    );
    expect(error?.message).toContain(`"${field}"`);
    expect(String(error?.details.frame)).toContain("^");
  });

  test.each<[Flags, string]>([
    [{ restart: "always" }, '--restart is "always", which'],
    [{ network: "bridged" }, '--network is "bridged", which'],
    [{ networkInterface: "eth0" }, "--network-interface"],
    [{ disk: ["a=a:/a:ro"] }, "--disk"],
    [{ bundle: ["a=a:/a:ro"] }, "--bundle"],
    [{ volume: ["a:/a"] }, "--volume"],
    [{ brokerEndpoint: ["upstream=http://a"] }, "--broker-endpoint"],
    [{ model: "m" }, "--model"],
  ])("flag %j", (flags, name) => {
    expect(unsupportedError(plan(flags))?.message).toBe(
      `Flag ${name} is not supported yet by this release`,
    );
  });
});

test("who asks for a broker endpoint is told of what does the same here", () => {
  const text = "agent: {broker: {upstream: 'https://api.openai.com', secret: key=env:KEY}}";
  const swap = expect.stringMatching(/agent\.cred-swap.*--egress-swap-config/);
  expect(unsupportedError(plan({}, text))?.hint).toEqual(swap);
  expect(unsupportedError(plan({ brokerEndpoint: ["upstream=https://a"] }))?.hint).toEqual(swap);
});

test.each([
  "{}",
  "network: {mode: isolated}",
  "network: {mode: nat, forwards: [{hostPort: 1, guestPort: 1}], dns: [10.0.0.1]}",
  "network: {ip: 10.1.0.5, subnet: 10.1.0.0/16, gateway: 10.1.0.1}",
  "agent: {egress: strict, allow: [a.example], cred-swap: [openai]}",
  "mediation: {port: 1, target: 'a:1'}",
  "restart: never",
  "modelMediation: {mode: off}",
  "mediation: {enabled: false}",
  "disks: []\nbundles: []\nnetwork: {forwards: [], dns: [], routes: []}\nagent: {allow: [], cred-swap: [], brokers: []}",
  "acknowledgeCapabilityRisk: it is fine",
  "name: a\nimage: b\nprofile: tiny\nentrypoint: c\nshell: /d\nhostname: e\nsetup: [f]\nsetupFiles: [g]\nenv: {H: i}\nresources: {memoryMiB: 99}\noutputs: [{name: j, path: /k}]\nagent: {entry: l}\nfiles: [{src: m, dst: /n}]",
])("%j can run", (text) => {
  expect(unsupportedUses(plan({}, text))).toEqual([]);
});

test("flags of what is built can run", () => {
  const flags: Flags = {
    name: "a",
    image: "b",
    profile: "tiny",
    exec: "c",
    shell: "/d",
    hostname: "e",
    setup: ["f"],
    setupFile: ["g"],
    env: ["H=i"],
    memory: 99,
    cpus: 1,
    sizeMib: 99,
    restart: "never",
    network: "user",
    publish: ["1:1"],
    egress: "strict",
    egressAllow: ["a.example"],
    egressPassthrough: ["a.example"],
    egressPolicy: "p",
    egressSwapConfig: "p",
    credSwap: ["openai"],
    egressMaxConns: 1,
    egressHost: ["a.example=127.0.0.1"],
    secret: ["a=env:A"],
    secretOnDemand: ["b=env:B"],
    mediation: "1=a:1",
    output: ["j=/k"],
    secretsAudit: false,
    timeoutSeconds: 1,
    pullTimeoutSeconds: 1,
    bootTimeoutSeconds: 1,
    keep: true,
    kernel: "k",
    arch: "x86_64",
    accel: "tcg",
    pull: "never",
    insecureRegistry: ["a"],
    outputDir: "o",
    requireOutputs: true,
  };
  expect(unsupportedUses(plan(flags))).toEqual([]);
});

test("several uses are one error that names them all", () => {
  const error = unsupportedError(plan({ disk: ["a=a:/a:ro"] }, "model: m\nhealth: {exec: [a]}\n"));
  expect(error?.message).toBe(
    'microagent.yaml:1:1: Field "model" is not supported yet by this release, nor are "health", --disk',
  );
  expect(error?.details.uses).toHaveLength(3);
});

test("every field of the schema has an entry in the support table, itself or its block", () => {
  const fields = fieldSupport.map((entry) => entry.field);
  const without = fieldRows()
    .map((row) => row.path.replaceAll("[]", ""))
    .filter(
      (path) =>
        !fields.some(
          (field) => path === field || path.startsWith(`${field}.`) || field.startsWith(`${path}.`),
        ),
    );
  expect(without).toEqual([]);
});
