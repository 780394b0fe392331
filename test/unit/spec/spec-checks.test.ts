import { expect, test } from "vitest";
import { mergeSpec } from "../../../src/spec/merge.ts";
import { problemText } from "../../../src/spec/problem.ts";
import { parsed, problems, refusal, refused } from "./spec-texts.ts";

const disk = (name: string, mountpoint: string) =>
  `{name: ${name}, path: p, mountpoint: ${mountpoint}, mode: rw}`;

test.each([
  ["outputs: [{name: a, path: /a}, {name: a, path: /b}]", '1:39: Output "a" is declared twice'],
  [
    "outputs: [{name: egress.jsonl, path: /a}]",
    '1:18: Output name "egress.jsonl" belongs to the report',
  ],
  [
    "outputs: [{name: result.json, path: /a}]",
    '1:18: Output name "result.json" belongs to the report',
  ],
  [
    "files: [{src: a, dst: /a}, {src: b, dst: /x/..//a}]",
    '1:42: Two files go to "/a" in the guest',
  ],
  [`disks: [${disk("a", "/a")}, ${disk("a", "/b")}]`, ': Disk name "a" is used twice'],
  [
    `disks: [${disk("a", "/a")}]\nbundles: [${disk("b", "/a/")}]`,
    ': Two disks are mounted on "/a"',
  ],
  [`disks: [${disk("rootfs", "/a")}]`, ': Disk name "rootfs" is reserved'],
  [`disks: [${disk("config", "/a")}]`, ': Disk name "config" is reserved'],
  [`bundles: [${disk("rootfs", "/a")}]`, ': Disk name "rootfs" is reserved'],
  [
    "network: {forwards: [{hostPort: 1, guestPort: 1}, {host: 127.0.0.1, hostPort: 1, guestPort: 2}]}",
    ': Host port "127.0.0.1:1/tcp" is published twice',
  ],
  [
    "network: {mode: isolated, forwards: [{hostPort: 1, guestPort: 1}]}",
    ': Ports are published on a network of mode "isolated"',
  ],
  ["entrypoint: a\nservice: b", '2:1: Both "entrypoint" and "service"'],
  ["mediation: {port: 1}", '1:1: Mediation has no "target"'],
  ["mediation: {target: 'a:1'}", '1:1: Mediation has no "port"'],
  ["mediation: {enabled: true}", '1:1: Mediation has no "port"'],
  ["mediation: {enabled: false, port: 1}", '1:22: Mediation is not enabled, yet "port" is set'],
  [
    "mediation: {port: 1, target: 'a:1', required: true, failClosed: false}",
    ": Mediation is required but not",
  ],
  ["health: {}", "1:1: Health has no probe"],
  ["health: {intervalSeconds: 3}", "1:1: Health has no probe"],
  ["health: {exec: [a], httpGet: /a, port: 1}", "1:21: Health has two probes"],
  ["health: {exec: []}", '1:16: Health probe "exec" is an empty list'],
  ["health: {httpGet: /a}", '1:10: Health probe "httpGet" has no "port"'],
  ["health: {exec: [a], port: 1}", '1:21: Health probe "exec" has a "port"'],
  ["modelRunner: {command: 'serve {model}'}", ": Runner command lacks its placeholders"],
  ["modelRunner: {command: [serve, '{port}']}", ": Runner command lacks its placeholders"],
  ["modelRunner: {backend: custom}", ': Model runner "custom" has no "command"'],
  ["modelMediation: {mode: policy}", ': Model mediation "policy" has no policy'],
  [
    "modelMediation: {policyFile: a, policyURL: 'http://a'}",
    ': Model mediation has both "policyFile"',
  ],
  ["agent: {broker: {upstream: 'http://a'}, brokers: []}", ': Both "broker" and "brokers" are set'],
  [
    "agent: {brokers: [{upstream: 'http://a', proxy: true}, {upstream: 'http://b', proxy: true}]}",
    ": More than one broker endpoint is a proxy",
  ],
  [
    "agent: {broker: {upstream: 'http://a', assurance: semantic}}",
    ': Broker assurance "semantic" has no "grant"',
  ],
  [
    "agent: {cred-swap: [openai, 'openai=env:OTHER']}",
    ': Provider "openai" has two different references',
  ],
])("%j", (text, message) => {
  expect(problems(text).map(problemText).join("\n")).toContain(message);
});

test.each([
  "mediation: {}",
  `bundles: [${disk("config", "/a")}]`,
  "mediation: {enabled: false}",
  "mediation: {port: 1, target: 'a:1'}",
  "mediation: {port: 1, target: 'a:1', required: true}",
  "modelRunner: {command: 'serve {model} {addr}'}",
  "agent: {cred-swap: [openai, 'openai=env:OPENAI_API_KEY']}",
  "network: {mode: isolated, forwards: []}",
  "network: {forwards: [{hostPort: 1, guestPort: 1}, {host: 127.0.0.2, hostPort: 1, guestPort: 1}]}",
])("%j is fine", (text) => {
  expect(parsed(text)).toBeDefined();
});

test("a clash says where the other one is", () => {
  expect(refusal("outputs: [{name: a, path: /a}, {name: a, path: /b}]").hint).toBe(
    "The first is outputs[0]",
  );
});

test("flags and spec are checked together", () => {
  const file = parsed(
    "outputs: [{name: a, path: /a}]\nhealth: {httpGet: /, port: 80}\nnetwork: {forwards: [{hostPort: 1, guestPort: 80}]}",
  );
  const merge = (flags: object) => refused(() => mergeSpec({ flags, file, surface: "run" }));
  expect(merge({ output: ["a=/b"] })).toMatchObject({
    code: "invalid_argument",
    message: 'Flag --output: Output "a" is declared twice: wanted unique names',
    hint: "The first is outputs[0]",
  });
  expect(merge({ publish: ["1:81"] })).toMatchObject({
    code: "spec_invalid",
    message:
      "microagent.yaml:2:28: Health port 80 is not a published guest port: wanted one of network.forwards",
  });
  expect(merge({ network: "isolated" }).message).toContain('"isolated"');
});
