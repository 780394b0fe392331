import { describe, expect, test } from "vitest";
import type { Flags } from "../../../src/spec/flags.ts";
import type { RunPlan } from "../../../src/spec/plan.ts";
import { merge } from "./spec-texts.ts";

/** One field: what it is by flag, by spec, by default; and where its value is in the plan. */
interface Case {
  readonly flags: Flags;
  readonly byFlag: unknown;
  readonly spec: string;
  readonly bySpec: unknown;
  readonly byDefault: unknown;
  readonly value: (plan: RunPlan) => unknown;
}

const cases: Readonly<Record<string, Case>> = {
  name: {
    flags: { name: "f" },
    byFlag: "f",
    spec: "name: s",
    bySpec: "s",
    byDefault: expect.stringMatching(/^dispatch-\w+-\w+-\w{4}$/),
    value: (p) => p.name,
  },
  image: {
    flags: { image: "f" },
    byFlag: "f",
    spec: "image: s",
    bySpec: "s",
    byDefault: "docker.io/library/python:3.13-slim",
    value: (p) => p.image,
  },
  profile: {
    flags: { profile: "tiny" },
    byFlag: "tiny",
    spec: "profile: large",
    bySpec: "large",
    byDefault: null,
    value: (p) => p.profile,
  },
  "resources.memoryMiB": {
    flags: { memory: "100" },
    byFlag: 100,
    spec: "resources: {memoryMiB: 200}",
    bySpec: 200,
    byDefault: 512,
    value: (p) => p.resources.memoryMib,
  },
  "resources.cpuCount": {
    flags: { cpus: 7 },
    byFlag: 7,
    spec: "resources: {cpuCount: 3}",
    bySpec: 3,
    byDefault: 2,
    value: (p) => p.resources.cpus,
  },
  "resources.sizeMiB": {
    flags: { sizeMib: "100" },
    byFlag: 100,
    spec: "resources: {sizeMiB: 200}",
    bySpec: 200,
    byDefault: 1024,
    value: (p) => p.resources.sizeMib,
  },
  restart: {
    flags: { restart: "always" },
    byFlag: "always",
    spec: "restart: on-failure",
    bySpec: "on-failure",
    byDefault: "never",
    value: (p) => p.restart,
  },
  command: {
    flags: { exec: "f" },
    byFlag: { kind: "shell", text: "f" },
    spec: "agent: {entry: s}",
    bySpec: { kind: "shell", text: "s" },
    byDefault: { kind: "image" },
    value: (p) => p.command,
  },
  shell: {
    flags: { shell: "/f" },
    byFlag: "/f",
    spec: "shell: /s",
    bySpec: "/s",
    byDefault: "/bin/sh",
    value: (p) => p.shell,
  },
  hostname: {
    flags: { hostname: "f" },
    byFlag: "f",
    spec: "hostname: s",
    bySpec: "s",
    byDefault: expect.stringMatching(/^dispatch-/),
    value: (p) => p.hostname,
  },
  setup: {
    flags: { setup: ["f"] },
    byFlag: [{ kind: "run", text: "f" }],
    spec: "setup: [s]",
    bySpec: [{ kind: "run", text: "s" }],
    byDefault: [],
    value: (p) => p.setup,
  },
  setupFiles: {
    flags: { setupFile: ["f"] },
    byFlag: [{ kind: "file", path: "/cwd/f", place: { kind: "flag", flag: "--setup-file" } }],
    spec: "setupFiles: [s]",
    bySpec: [{ kind: "file", path: "/base/s", place: { kind: "spec", path: ["setupFiles", 0] } }],
    byDefault: [],
    value: (p) => p.setup,
  },
  "network.mode": {
    flags: { network: "nat" },
    byFlag: "nat",
    spec: "network: {mode: isolated}",
    bySpec: "isolated",
    byDefault: "user",
    value: (p) => p.network.mode,
  },
  "network.forwards": {
    flags: { publish: ["1:2"] },
    byFlag: [{ protocol: "tcp", host: "127.0.0.1", hostPort: 1, guestPort: 2 }],
    spec: "network: {forwards: [{hostPort: 3, guestPort: 4}]}",
    bySpec: [{ protocol: "tcp", host: "127.0.0.1", hostPort: 3, guestPort: 4 }],
    byDefault: [],
    value: (p) => p.network.forwards,
  },
  "agent.egress": {
    flags: { egress: "off" },
    byFlag: "off",
    spec: "agent: {egress: strict}",
    bySpec: "strict",
    byDefault: "guarded",
    value: (p) => p.egress.mode,
  },
  model: {
    flags: { model: "f" },
    byFlag: "f",
    spec: "model: s",
    bySpec: "s",
    byDefault: null,
    value: (p) => p.model,
  },
  mediation: {
    flags: { mediation: "1=f:2" },
    byFlag: { port: 1, target: "f:2", required: true, failClosed: true },
    spec: "mediation: {port: 3, target: 's:4'}",
    bySpec: { port: 3, target: "s:4", required: false, failClosed: false },
    byDefault: null,
    value: (p) => p.mediation,
  },
};

describe("flag before spec before default", () => {
  test.each(Object.entries(cases))(
    "%s",
    (field, { flags, byFlag, spec, bySpec, byDefault, value }) => {
      const all: readonly [RunPlan, unknown, string][] = [
        [merge(flags, spec), byFlag, "flag"],
        [merge({}, spec), bySpec, "spec"],
        [merge({}), byDefault, "default"],
      ];
      for (const [plan, expected, origin] of all) {
        // A setup list and a setup-file list are told apart in the plan's origins only.
        expect(value(plan)).toEqual(expected);
        expect(plan.provenance[field]).toBe(origin);
      }
    },
  );
});

const specOnly: Readonly<
  Record<
    string,
    [spec: string, bySpec: unknown, byDefault: unknown, value: (plan: RunPlan) => unknown]
  >
> = {
  "resources.headroomMiB": ["resources: {headroomMiB: 7}", 7, 512, (p) => p.resources.headroomMib],
  "network.dns": ["network: {dns: [10.0.0.1]}", ["10.0.0.1"], [], (p) => p.network.dns],
  "network.routes": [
    "network: {routes: [10.0.0.0/8]}",
    ["10.0.0.0/8"],
    [],
    (p) => p.network.routes,
  ],
  "network.ip": ["network: {ip: 10.0.0.1}", "10.0.0.1", null, (p) => p.network.ip],
  "network.subnet": ["network: {subnet: 10.0.0.0/8}", "10.0.0.0/8", null, (p) => p.network.subnet],
  "network.gateway": ["network: {gateway: 10.0.0.1}", "10.0.0.1", null, (p) => p.network.gateway],
  "network.ipv6": ['network: {ipv6: "fd00::1"}', "fd00::1", null, (p) => p.network.ipv6],
  "network.ipv6Subnet": [
    'network: {ipv6Subnet: "fd00::/64"}',
    "fd00::/64",
    null,
    (p) => p.network.ipv6Subnet,
  ],
  "network.ipv6Gateway": [
    'network: {ipv6Gateway: "fd00::1"}',
    "fd00::1",
    null,
    (p) => p.network.ipv6Gateway,
  ],
  health: ["health: {exec: [a]}", { exec: ["a"] }, null, (p) => p.health],
  modelRunner: ["modelRunner: {gpu: on}", { gpu: "on" }, null, (p) => p.modelRunner],
  modelMediation: ["modelMediation: {mode: off}", { mode: "off" }, null, (p) => p.modelMediation],
  acknowledgeCapabilityRisk: [
    "acknowledgeCapabilityRisk: why",
    "why",
    null,
    (p) => p.acknowledgeCapabilityRisk,
  ],
  "agent.brokers": [
    "agent: {broker: {upstream: 'http://a'}}",
    [{ upstream: "http://a" }],
    [],
    (p) => p.egress.brokers,
  ],
};

test.each(Object.entries(specOnly))(
  "spec before default: %s",
  (field, [spec, bySpec, byDefault, value]) => {
    const written = merge({}, spec);
    expect([value(written), written.provenance[field]]).toEqual([bySpec, "spec"]);
    const plain = merge({});
    expect([value(plain), plain.provenance[field]]).toEqual([byDefault, "default"]);
  },
);

const flagOnly: Readonly<
  Record<
    string,
    [flags: Flags, byFlag: unknown, byDefault: unknown, value: (plan: RunPlan) => unknown]
  >
> = {
  pull: [{ pull: "always" }, "always", "missing", (p) => p.pull],
  insecureRegistries: [
    { insecureRegistry: ["a:5000"] },
    ["a:5000"],
    [],
    (p) => p.insecureRegistries,
  ],
  arch: [{ arch: "arm64" }, "aarch64", null, (p) => p.arch],
  kernel: [{ kernel: "own" }, "own", null, (p) => p.kernel],
  accel: [{ accel: "tcg" }, "tcg", "auto", (p) => p.accel],
  "network.interface": [{ networkInterface: "eth0" }, "eth0", null, (p) => p.network.interface],
  "egress.passthrough": [
    { egressPassthrough: ["A.example."] },
    ["a.example"],
    [],
    (p) => p.egress.passthrough,
  ],
  "egress.policyFile": [{ egressPolicy: "p" }, "/cwd/p", null, (p) => p.egress.policyFile],
  "egress.swapConfigFile": [
    { egressSwapConfig: "p" },
    "/cwd/p",
    null,
    (p) => p.egress.swapConfigFile,
  ],
  "egress.maxBytesPerSec": [
    { egressMaxBytesPerSec: "1MiB" },
    1024 ** 2,
    null,
    (p) => p.egress.caps.bytesPerSecond,
  ],
  "egress.maxTotalBytes": [
    { egressMaxTotalBytes: 7 },
    7,
    50 * 1024 ** 3,
    (p) => p.egress.caps.totalBytes,
  ],
  "egress.maxConns": [{ egressMaxConns: "3" }, 3, 256, (p) => p.egress.caps.connections],
  "egress.caFiles": [{ egressCa: ["p"] }, ["/cwd/p"], [], (p) => p.egress.caFiles],
  "egress.standIns": [
    { egressHost: ["A.example.=127.0.0.1:1", "b.example=::1"] },
    [
      { name: "a.example", address: "127.0.0.1", port: 1 },
      { name: "b.example", address: "::1", port: null },
    ],
    [],
    (p) => p.egress.standIns,
  ],
  "secrets.files": [{ secret: ["a=env:A"] }, ["a=env:A"], [], (p) => p.secrets.files],
  "secrets.onDemand": [{ secretOnDemand: ["a=env:A"] }, ["a=env:A"], [], (p) => p.secrets.onDemand],
  "secrets.envFiles": [{ secretsEnvFile: ["p"] }, ["/cwd/p"], [], (p) => p.secrets.envFiles],
  "secrets.audit": [{ secretsAudit: true }, true, false, (p) => p.secrets.audit],
  volumes: [
    { volume: ["v:/m"] },
    [{ kind: "volume", source: "v", mountpoint: "/m", mode: "rw" }],
    [],
    (p) => p.volumes,
  ],
  outputDir: [
    { outputDir: "o" },
    "/cwd/o",
    expect.stringMatching(/^\/cwd\/microagent-out\/dispatch-/),
    (p) => p.outputDir,
  ],
  requireOutputs: [{ requireOutputs: true }, true, false, (p) => p.requireOutputs],
  keep: [{ keep: true }, true, false, (p) => p.keep],
  useTemplates: [{ noTemplate: true }, false, true, (p) => p.useTemplates],
  timeoutSeconds: [{ timeoutSeconds: "1.5" }, 1.5, 300, (p) => p.timeoutSeconds],
  pullTimeoutSeconds: [{ pullTimeoutSeconds: 2 }, 2, 1800, (p) => p.pullTimeoutSeconds],
  bootTimeoutSeconds: [{ bootTimeoutSeconds: 3 }, 3, 60, (p) => p.bootTimeoutSeconds],
};

test.each(Object.entries(flagOnly))(
  "flag before default: %s",
  (field, [flags, byFlag, byDefault, value]) => {
    const given = merge(flags);
    expect([value(given), given.provenance[field]]).toEqual([byFlag, "flag"]);
    const plain = merge({});
    expect([value(plain), plain.provenance[field]]).toEqual([byDefault, "default"]);
  },
);
