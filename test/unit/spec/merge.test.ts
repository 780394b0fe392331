import { describe, expect, test } from "vitest";
import type { Flags } from "../../../src/spec/flags.ts";
import { hostnameFrom, mergeSpec } from "../../../src/spec/merge.ts";
import type { RunPlan } from "../../../src/spec/plan.ts";
import { renderPlan } from "../../../src/spec/render-plan.ts";
import { parsed, refused } from "./spec-texts.ts";

function merge(flags: Flags, text?: string): RunPlan {
  const file = text === undefined ? null : parsed(text);
  return mergeSpec({ flags, file, surface: "dispatch", cwd: "/cwd" });
}

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

describe("profiles", () => {
  test("fill in what neither flag nor resources say", () => {
    const plan = merge({ cpus: "8" }, "profile: medium\nresources: {memoryMiB: 100}");
    expect(plan.resources).toEqual({
      memoryMib: 100,
      cpus: 8,
      sizeMib: 8192,
      sizePinned: false,
      headroomMib: 512,
    });
    expect(plan.provenance).toMatchObject({
      "resources.memoryMiB": "spec",
      "resources.cpuCount": "flag",
      "resources.sizeMiB": "profile",
    });
  });

  test.each([
    ["tiny", 256, 1, 512],
    ["small", 512, 2, 1024],
    ["medium", 2048, 2, 8192],
    ["large", 4096, 4, 16384],
  ])("%s", (profile, memoryMib, cpus, sizeMib) => {
    expect(merge({ profile }).resources).toMatchObject({ memoryMib, cpus, sizeMib });
  });

  test("resources of the spec beat a profile by flag, and the plan says so", () => {
    const plan = merge({ profile: "large" }, "resources: {memoryMiB: 100}");
    expect(plan.resources).toMatchObject({ memoryMib: 100, cpus: 4 });
    expect(plan.notes).toEqual([
      'Profile "large" does not change resources.memoryMiB: the spec sets it',
    ]);
  });

  test("a size that somebody gave is pinned", () => {
    expect(merge({ sizeMib: 100 }).resources.sizePinned).toBe(true);
    expect(merge({}, "resources: {sizeMiB: 100}").resources.sizePinned).toBe(true);
    expect(merge({ profile: "tiny" }).resources.sizePinned).toBe(false);
  });
});

describe("joined fields", () => {
  test("env is joined name by name", () => {
    const plan = merge({ env: ["B=flag", "C=x=y", "D="] }, "env: {A: spec, B: spec}");
    expect(plan.env).toEqual({ A: "spec", B: "flag", C: "x=y", D: "" });
    expect(plan.envByFlag).toEqual(["B", "C", "D"]);
    expect(plan.provenance.env).toBe("union");
  });

  test("outputs, disks and bundles are appended", () => {
    const plan = merge(
      { output: ["b=/b"], disk: ["e=x:y.ext4:/e:ro"], bundle: ["g=g.tar:/g:rw"] },
      "outputs: [{name: a, path: /a/}]\ndisks: [{name: d, path: d.ext4, mountpoint: /d, mode: rw}]",
    );
    expect(plan.outputs).toEqual([
      { name: "a", path: "/a" },
      { name: "b", path: "/b" },
    ]);
    expect(plan.disks).toEqual([
      { kind: "disk", name: "d", path: "/base/d.ext4", mountpoint: "/d", mode: "rw" },
      { kind: "disk", name: "e", path: "/cwd/x:y.ext4", mountpoint: "/e", mode: "ro" },
      { kind: "bundle", name: "g", path: "/cwd/g.tar", mountpoint: "/g", mode: "rw" },
    ]);
    expect(plan.provenance).toMatchObject({ outputs: "union", disks: "union", bundles: "flag" });
  });

  test("allowed hosts and credential swaps are joined and made equal in form", () => {
    const plan = merge(
      {
        egressAllow: ["B.example", "a.EXAMPLE."],
        credSwap: ["openai", "anthropic=env:ANTHROPIC_API_KEY"],
      },
      "agent: {allow: [a.example], cred-swap: [anthropic]}",
    );
    expect(plan.egress.allow).toEqual(["a.example", "b.example"]);
    expect(plan.egress.credSwap).toEqual([
      "anthropic=env:ANTHROPIC_API_KEY",
      "openai=env:OPENAI_API_KEY",
    ]);
  });

  test("a file of a swap is found from where the swap is written", () => {
    const plan = merge(
      { credSwap: ["openai=dotenv:keys.env#OPENAI", "gemini=helper:a/b"] },
      "agent: {cred-swap: ['anthropic=file:./key', 'groq=file:/abs/key', 'deepseek=vault:kv/data/a#b']}",
    );
    expect(plan.egress.credSwap).toEqual([
      "anthropic=file:/base/key",
      "groq=file:/abs/key",
      "deepseek=vault:kv/data/a#b",
      "openai=dotenv:/cwd/keys.env#OPENAI",
      "gemini=helper:a/b",
    ]);
  });

  test("two references for one provider are an error", () => {
    const error = refused(() =>
      merge({ credSwap: ["openai=env:B"] }, "agent: {cred-swap: [openai]}"),
    );
    expect(error.message).toContain(
      'Flag --cred-swap: Provider "openai" has two different references',
    );
  });
});

describe("egress", () => {
  test.each<[Flags, string | undefined, string]>([
    [{ egressLockAllowlist: true }, undefined, "strict"],
    [{ egressLockAllowlist: true }, "agent: {egress: guarded}", "strict"],
    [{ egressLockAllowlist: true, egress: "guarded" }, undefined, "strict"],
    [{ egressLockAllowlist: false }, undefined, "guarded"],
  ])("a locked allow list is strict: %j %j", (flags, text, mode) => {
    expect(merge(flags, text).egress.mode).toBe(mode);
  });

  test("a locked allow list contradicts off", () => {
    const error = refused(() => merge({ egressLockAllowlist: true, egress: "off" }));
    expect([error.code, error.message]).toEqual([
      "usage",
      "Flag --egress-lock-allowlist contradicts --egress off: wanted one of them",
    ]);
  });

  test("the policy file's hosts join those of spec and flags", () => {
    const plan = mergeSpec({
      flags: { egressAllow: ["b.example:443"], egressPassthrough: ["d.example"] },
      file: parsed("agent: {allow: [A.example.]}"),
      policy: { allow: [".c.example", "a.example"], passthrough: ["E.example"] },
      surface: "dispatch",
    });
    expect(plan.egress.allow).toEqual(["a.example", "b.example:443", ".c.example"]);
    expect(plan.egress.passthrough).toEqual(["d.example", "e.example"]);
    expect(plan.provenance["agent.allow"]).toBe("union");
  });

  test("what has no effect is told", () => {
    expect(merge({ egress: "off", credSwap: ["openai"] }).notes).toEqual([
      'Egress "off" looks at nothing, so no credential is swapped: requests leave as the guest made them',
    ]);
    expect(merge({ network: "isolated", egressAllow: ["a.example"] }).notes).toEqual([
      'Allowed hosts have no effect on a network of mode "isolated"',
    ]);
    expect(merge({ network: "isolated", credSwap: ["openai"] }).notes).toEqual([
      'Credentials are not swapped on a network of mode "isolated", which reaches no host',
    ]);
    expect(merge({ network: "nat" }).notes[0]).toContain('"nat" is served as "user"');
  });
});

test("host port 0 may be asked for more than once", () => {
  expect(
    merge({ publish: ["0:80", "0:81"] }).network.forwards.map((each) => each.hostPort),
  ).toEqual([0, 0]);
});

test.each([
  ["network: {ip: 10.0.2.15, subnet: 10.1.0.0/24}", '1:15: Field "network.ip" is no host address'],
  ["network: {subnet: 10.1.0.0/31}", '1:19: Field "network.subnet" has no room for a guest'],
  ["network: {ip: 10.0.2.9, gateway: 10.0.2.9}", 'Field "network.gateway" is the guest\'s own'],
  ['network: {ipv6Subnet: "10.0.0.0/8"}', 'Field "network.ipv6Subnet" is no IPv6 network'],
  ['network: {ipv6Gateway: "fd00::1", ipv6Subnet: "fd01::/64"}', '"network.ipv6Gateway" is no'],
])("addresses that do not fit are refused with their place: %s", (text, message) => {
  const error = refused(() => merge({}, text));
  expect(error.code).toBe("spec_invalid");
  expect(error.message).toContain(message);
});

describe("the command", () => {
  test.each<[Flags, string, RunPlan["command"]]>([
    [{}, "entrypoint: a", { kind: "shell", text: "a" }],
    [{}, "service: a", { kind: "shell", text: "a" }],
    [{}, "entrypoint: a\nagent: {entry: b}", { kind: "shell", text: "b" }],
    [{ entrypoint: "f" }, "agent: {entry: b}", { kind: "shell", text: "f" }],
    [{ command: ["a", "b c"] }, "agent: {entry: b}", { kind: "argv", argv: ["a", "b c"] }],
    [{ imageCommand: true }, "agent: {entry: b}", { kind: "image" }],
    [{ imageCommand: false, command: [] }, "agent: {entry: b}", { kind: "shell", text: "b" }],
  ])("%j with %j", (flags, text, command) => {
    expect(merge(flags, text).command).toEqual(command);
  });

  test.each<[Flags, string]>([
    [{ exec: "a", command: ["b"] }, "the command after the image and --exec"],
    [{ exec: "a", imageCommand: true }, "--exec and --image-command"],
    [{ exec: "a", entrypoint: "b" }, "--exec and --entrypoint"],
  ])("two sources are a usage error: %j", (flags, names) => {
    const error = refused(() => merge(flags));
    expect(error.code).toBe("usage");
    expect(error.message).toContain(names);
  });
});

test("setup keeps its order: commands and files as listed, then setup files", () => {
  const plan = merge({}, "setup: [a, {file: b}, {run: c}]\nsetupFiles: [d]");
  expect(plan.setup.map((step) => (step.kind === "run" ? step.text : step.path))).toEqual([
    "a",
    "/base/b",
    "c",
    "/base/d",
  ]);
});

test("paths of the spec start at its directory, files carry their mode as a number", () => {
  const plan = merge(
    {},
    "image: oci-archive:./i.tar\nfiles: [{src: a, dst: /x/../b, mode: '0755'}, {src: /c, dst: /c}]",
  );
  expect(plan.image).toBe("oci-archive:/base/i.tar");
  expect(plan.files).toMatchObject([
    { src: "/base/a", dst: "/b", mode: 0o755 },
    { src: "/c", dst: "/c", mode: null },
  ]);
});

test("mediation may be loosened by flag", () => {
  const spec = "mediation: {port: 1, target: 'a:2', required: true}";
  expect(merge({}, spec).mediation).toEqual({
    port: 1,
    target: "a:2",
    required: true,
    failClosed: true,
  });
  expect(merge({ mediationOptional: true }, spec).mediation).toMatchObject({
    required: false,
    failClosed: false,
  });
  expect(refused(() => merge({ mediationOptional: true })).code).toBe("usage");
});

test.each([
  ["research", "research"],
  ["a.b_c", "a-b-c"],
  ["-x-", "x"],
  ["...", "microagent"],
  [`${"a".repeat(62)}._b`, "a".repeat(62)],
])("the host name of %j is %j", (name, hostname) => {
  expect(hostnameFrom(name)).toBe(hostname);
});

test("the printed plan is stable and plain JSON", () => {
  const plan = merge(
    { name: "n", volume: ["v:/m"] },
    "files: [{src: a, dst: /b, mode: '644'}]\nsetup: [{file: s}]",
  );
  const text = JSON.stringify(renderPlan(plan));
  expect(
    JSON.stringify(
      renderPlan(
        merge(
          { name: "n", volume: ["v:/m"] },
          "files: [{src: a, dst: /b, mode: '644'}]\nsetup: [{file: s}]",
        ),
      ),
    ),
  ).toBe(text);
  expect(JSON.parse(text)).toMatchObject({
    name: "n",
    files: [{ src: "/base/a", dst: "/b", mode: "0644" }],
    setup: [{ file: "/base/s", from: "setup[0].file" }],
    network: { mode: "user", addresses: { ipv4: { address: "10.0.2.15/24" } } },
    egress: { mode: "guarded", maxTotalBytes: 50 * 1024 ** 3, maxConns: 256 },
    origin: { name: "flag", volumes: "flag", files: "spec" },
  });
});
