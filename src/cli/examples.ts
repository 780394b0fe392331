import type { Command } from "commander";

/** Command lines for the help of commands whose own text has none, by their words. */
export const examples: Readonly<Record<string, readonly string[]>> = {
  status: ["microagent status dev"],
  inspect: ["microagent inspect dev | jq .state"],
  logs: ["microagent logs dev --follow"],
  events: ["microagent events dev"],
  result: ["microagent result dev", "microagent --json result dev | jq .exitCode"],
  stats: ["microagent stats dev --follow"],
  wait: ["microagent wait nightly --timeout 30m && microagent result nightly"],
  pause: ["microagent pause dev"],
  resume: ["microagent resume dev"],
  stop: ["microagent stop dev --timeout 30s"],
  clone: ["microagent stop dev && microagent clone dev copy && microagent start copy"],
  "artifact get": ["microagent artifact get dev report ./report"],
  "snapshot create": ["microagent snapshot create dev --tag ready"],
  "snapshot list": ["microagent snapshot list dev"],
  "snapshot delete": ["microagent snapshot delete dev --tag ready"],
  "spec validate": ["microagent spec validate microagent.yaml"],
  "image pull": [
    "microagent image pull docker.io/library/debian:12",
    "microagent image pull mmdebstrap:bookworm?include=python3",
  ],
  "image list": ["microagent --json image list | jq -r '.images[].image_ref'"],
  "image tag": ["microagent image tag docker.io/library/debian:12 local/base:1"],
  "image rm": ["microagent image rm local/base:1 && microagent image prune"],
  "image prune": ["microagent image prune --older-than 30"],
  "rootfs build": [
    "microagent rootfs build --image mmdebstrap:bookworm --allow-mutable --out rootfs.ext4",
    "microagent rootfs build --image docker.io/library/debian@sha256:... --format erofs --out rootfs.erofs",
  ],
  "kernel list": ["microagent kernel list"],
  "kernel install": [
    "microagent kernel install",
    "microagent kernel install --url https://HOST/bzImage --sha256 HEX",
    "microagent kernel install --from ./arch/x86/boot/bzImage",
  ],
  "kernel build": ["microagent kernel build"],
  "kernel verify": ["microagent kernel verify"],
  "template list": ["microagent template list"],
  "template build": ["microagent template build --file agent.yaml"],
  "template rm": ["microagent template rm 3f1c"],
  "template prune": ["microagent template prune --max-mib 2048"],
  doctor: ["microagent doctor --fix", "microagent --json doctor | jq .verdict"],
  "secret check": ["microagent secret check API_KEY=env:API_KEY DB=vault:secret/data/app#password"],
  "secret audit": ["microagent secret audit dev"],
  ps: ["microagent ps", "microagent --json ps | jq -r '.workspaces[].name'"],
  gc: ["microagent gc --kept"],
  report: [
    "microagent report microagent-out/quickstart",
    "microagent report microagent-out/quickstart --html --out run.html",
  ],
  "report merge": ["microagent report merge microagent-out/* --summary all.md --junit all.xml"],
  egress: ["microagent egress dev --follow"],
  network: ["microagent network dev"],
  profiles: ["microagent profiles && microagent create dev --profile medium"],
};

/** Adds them to a command and the commands below it. */
export function addExamples(command: Command, words: readonly string[]): void {
  const lines = examples[words.join(" ")];
  if (lines !== undefined) {
    const head = lines.length === 1 ? "Example:" : "Examples:";
    command.addHelpText("after", `\n${head}\n${lines.map((line) => `  ${line}`).join("\n")}`);
  }
  for (const each of command.commands) addExamples(each, [...words, each.name()]);
}
