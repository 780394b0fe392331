import { describe, expect, test } from "vitest";
import { problemText } from "../../../src/spec/problem.ts";
import { problems, refusal } from "./spec-texts.ts";

const file = "microagent.yaml";

describe("unknown keys", () => {
  test.each([
    ["profle: tiny", "1:1", 'Unknown key "profle": wanted "profile"', "profile"],
    [
      "resources:\n  memroyMiB: 1",
      "2:3",
      'Unknown key "memroyMiB" in "resources", close to "memoryMiB": wanted "memoryMiB", "cpuCount", "sizeMiB" or "headroomMiB"',
      "memoryMiB",
    ],
    [
      "resources: {network: {mode: user}}",
      "1:13",
      'Unknown key "network" in "resources": wanted it at the top level',
      "network",
    ],
    [
      "memoryMiB: 512",
      "1:1",
      'Unknown key "memoryMiB": wanted it under "resources"',
      "resources.memoryMiB",
    ],
    [
      "memory: 512",
      "1:1",
      'Unknown key "memory": wanted "memoryMiB" under "resources"',
      "resources.memoryMiB",
    ],
    ["entry: ls", "1:1", 'Unknown key "entry": wanted it under "agent"', "agent.entry"],
    ["cred_swap: []", "1:1", 'Unknown key "cred_swap": wanted one of ', null],
    [
      "agent: {credSwap: []}",
      "1:9",
      'Unknown key "credSwap" in "agent", close to "cred-swap": wanted "entry", "egress", "allow", "cred-swap", "broker" or "brokers"',
      "cred-swap",
    ],
    [
      "outputs:\n  - {name: a, path: /a, mod: x}",
      "2:25",
      'Unknown key "mod" in "outputs[0]": wanted "name" or "path"',
      null,
    ],
    [
      "setup:\n  - {rum: ls}",
      "2:6",
      'Unknown key "rum" in "setup[0]", close to "run": wanted "run" or "file"',
      "run",
    ],
  ])("%j", (text, place, sentence, nearest) => {
    const [problem] = problems(text);
    expect(problem && problemText(problem)).toContain(`${file}:${place}: ${sentence}`);
    expect(problem?.nearest).toBe(nearest);
  });
});

describe("wrong types and values", () => {
  test.each([
    ["name: 12", '1:7: Field "name" is the number 12: wanted a name of letters'],
    ["name: a/b", '1:7: Field "name" is "a/b": wanted a name of letters'],
    ["name: ..", '1:7: Field "name" is "..": wanted a name of letters'],
    ["name:", '1:1: Field "name" is empty: wanted a name of letters'],
    ["image: a b", '1:8: Field "image" is "a b", which holds a blank: wanted an image such as'],
    ['image: ""', '1:8: Field "image" is an empty text: wanted an image such as'],
    [
      "profile: huge",
      '1:10: Field "profile" is "huge": wanted "tiny", "small", "medium" or "large"',
    ],
    ["profile: smal", '1:10: Field "profile" is "smal", close to "small": wanted "tiny"'],
    ["restart: yes", '1:10: Field "restart" is "yes": wanted "never", "on-failure" or "always"'],
    [
      "shell: bash",
      '1:8: Field "shell" is "bash", which is not absolute: wanted an absolute guest path',
    ],
    ["hostname: -a", '1:11: Field "hostname" is "-a": wanted at most 63 letters'],
    ["hostname: a.b", '1:11: Field "hostname" is "a.b": wanted at most 63 letters'],
    ["entrypoint: ''", '1:13: Field "entrypoint" is an empty text: wanted a shell command'],
    ["setup: ls", '1:8: Field "setup" is "ls": wanted a list of shell commands'],
    ["setup: [3]", '1:9: Field "setup[0]" is the number 3: wanted a shell command, {run: COMMAND}'],
    [
      "setup: [{run: a, file: b}]",
      '1:9: Setup entry has both "run" and "file": wanted one of them',
    ],
    ["setup: [{}]", '1:9: Setup entry has neither "run" nor "file": wanted one of them'],
    [
      "setupFiles: ['']",
      '1:14: Field "setupFiles[0]" is an empty text: wanted the path of a host file',
    ],
    [
      "files: [{dst: /a}]",
      '1:9: Field "src" is missing in "files[0]": wanted the path of a host file',
    ],
    [
      "files:\n  - {src: a, dst: /}",
      '2:19: Field "files[0].dst" is "/", which is the root directory',
    ],
    [
      "files:\n  - {src: a, dst: /a/}",
      '2:19: Field "files[0].dst" is "/a/", which names a directory',
    ],
    ["files:\n  - {src: a, dst: a}", '2:19: Field "files[0].dst" is "a", which is not absolute'],
    [
      'files:\n  - {src: a, dst: "/a\\0"}',
      '2:19: Field "files[0].dst" is "/a\ufffd", which holds a NUL',
    ],
    [
      "files: [{src: a, dst: /a, mode: 0644}]",
      '1:33: Field "files[0].mode" is the number 644: wanted an octal text in quotes',
    ],
    [
      "files: [{src: a, dst: /a, mode: '0689'}]",
      '1:33: Field "files[0].mode" is "0689": wanted an octal text',
    ],
    [
      "resources: {memoryMiB: 512MiB}",
      '1:24: Field "resources.memoryMiB" is "512MiB": wanted a whole number of MiB from 64',
    ],
    [
      "resources: {memoryMiB: 1}",
      '1:24: Field "resources.memoryMiB" is the number 1: wanted a whole number of MiB from 64',
    ],
    [
      "resources: {cpuCount: 1.5}",
      '1:23: Field "resources.cpuCount" is the number 1.5: wanted a whole number from 1',
    ],
    [
      "resources: {cpuCount: .inf}",
      '1:23: Field "resources.cpuCount" is the number Infinity: wanted',
    ],
    ["resources: []", '1:12: Field "resources" is a list: wanted a mapping'],
    [
      "network: {mode: named}",
      '1:17: Field "network.mode" has the value "named" of another version: wanted "user", "nat"',
    ],
    [
      "network: {forwards: [{hostPort: 1, guestPort: 0}]}",
      '1:47: Field "network.forwards[0].guestPort" is the number 0: wanted a port from 1',
    ],
    [
      "network: {forwards: [{hostPort: 1, guestPort: 1, protocol: udp}]}",
      '1:60: Field "network.forwards[0].protocol" is "udp": wanted "tcp"',
    ],
    ["network: {dns: [a]}", '1:17: Field "network.dns[0]" is "a": wanted an IP address'],
    [
      "network: {subnet: 10.0.0.0/33}",
      '1:19: Field "network.subnet" is "10.0.0.0/33": wanted a network',
    ],
    [
      "mediation: {port: 1, target: nohost}",
      '1:30: Field "mediation.target" is "nohost": wanted host:port',
    ],
    [
      "modelMediation: {policyTimeout: 3}",
      '1:33: Field "modelMediation.policyTimeout" is the number 3: wanted a duration',
    ],
    [
      "outputs: [{name: a, path: b}]",
      '1:27: Field "outputs[0].path" is "b", which is not absolute',
    ],
    [
      "outputs: [{name: a/b, path: /b}]",
      '1:18: Field "outputs[0].name" is "a/b": wanted a name of letters',
    ],
    [
      "agent: {egress: broker}",
      '1:17: Field "agent.egress" has the value "broker" of another version: wanted "guarded", "strict" or "off"',
    ],
    ["agent: {egress: mitm}", '1:17: Field "agent.egress" has the value "mitm" of another version'],
    [
      "agent: {egress: false}",
      '1:17: Field "agent.egress" is the boolean false: wanted "guarded", "strict" or "off"',
    ],
    [
      "agent: {allow: ['https://a.example']}",
      '1:17: Field "agent.allow[0]" is "https://a.example", which is a URL',
    ],
    [
      "agent: {allow: ['*.example']}",
      '1:17: Field "agent.allow[0]" is "*.example", which has a wildcard',
    ],
    [
      "agent: {allow: ['a.example:0']}",
      '1:17: Field "agent.allow[0]" is "a.example:0", which has a port outside 1 to 65535',
    ],
    ["agent: {allow: [10.0.0.0/8]}", '1:17: Field "agent.allow[0]" is "10.0.0.0/8", which has a'],
    ["agent: {allow: ['127.1']}", '1:17: Field "agent.allow[0]" is "127.1": wanted a host'],
    ["- a", "1:1: The spec file is a list: wanted a mapping"],
    ["just text", '1:1: The spec file is "just text": wanted a mapping'],
  ])("%j", (text, message) => {
    const [problem] = problems(text);
    expect(problem && problemText(problem)).toContain(`${file}:${message}`);
  });

  test("a word of another version names today's", () => {
    expect(problems("agent: {egress: broker}")[0]?.hint).toContain('Use "guarded"');
    expect(problems("network: {mode: named}")[0]?.hint).toContain('"bridged"');
  });
});

test("all problems of a file are reported, in the order of the file", () => {
  const error = refusal("name: a/b\nprofle: tiny\nresources:\n  cpuCount: 0\nshell: x\n");
  expect(error.message).toMatch(/^microagent\.yaml:1:7: /);
  expect(
    problems("name: a/b\nprofle: tiny\nresources:\n  cpuCount: 0\nshell: x\n").map((p) => p.line),
  ).toEqual([1, 2, 4, 5]);
  expect(error.hint).toContain("3 more problems: microagent spec validate microagent.yaml");
});

test("at most twenty problems are listed, and the count stays true", () => {
  const error = refusal(Array.from({ length: 50 }, (_, i) => `unknown${i}: 1`).join("\n"));
  expect(error.details.problemCount).toBe(50);
  expect(error.details.problems).toHaveLength(20);
});

test("an error has everything a program needs to show it", () => {
  const error = refusal("image: x\nresources:\n\tcpuCount: 2");
  expect(error.code).toBe("spec_invalid");
  const { details } = refusal("# first\nresources:\n  cpuCuont: 2\n");
  expect(details).toMatchObject({
    file,
    line: 3,
    column: 3,
    path: "resources.cpuCuont",
    nearest: "cpuCount",
    wanted: '"memoryMiB", "cpuCount", "sizeMiB" or "headroomMiB"',
    frame: "  2 | resources:\n> 3 |   cpuCuont: 2\n    |   ^^^^^^^^",
  });
});

test("columns count characters and carets stand under them", () => {
  const [problem] = problems('{image: "häuser-🚀 x", profile: huge}');
  expect(problem?.column).toBe(9);
  const [second] = problems('{acknowledgeCapabilityRisk: "🚀🚀", profile: huge}');
  expect(second?.column).toBe(44);
  const [line, caret] = (second?.frame ?? "").split("\n");
  expect([...(line ?? "")].slice(-5).join("")).toBe("huge}");
  expect([...(caret ?? "")].length).toBe([...(line ?? "")].length - 1);
});

test("long lines are cut around the place", () => {
  const [problem] = problems(`{acknowledgeCapabilityRisk: "${"x".repeat(500)}", profile: huge}`);
  const [line, caret] = (problem?.frame ?? "").split("\n");
  expect(line?.length).toBeLessThan(120);
  expect(line?.slice(caret?.indexOf("^"))).toBe("huge}");
});

test("control characters never reach a message or a frame", () => {
  const error = refusal('name: "a\\e[31m\\u202eb"\n');
  for (const character of ["\u001b", "\u202e"]) {
    expect(`${error.message}${String(error.details.frame)}`).not.toContain(character);
  }
  expect(error.message).toContain("\ufffd");
});
