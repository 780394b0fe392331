import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { flagsOf } from "../../../action/flags.ts";
import { refuseSecrets, refuseSources, variablesOf } from "../../../action/secrets.ts";
import { hostSourcesOf, type RunPlan } from "../../../src/index.ts";
import { parseSpec } from "../../../src/spec/load.ts";
import { mergeSpec } from "../../../src/spec/merge.ts";
import { settingsOf } from "./sample-settings.ts";

const push = { name: "push", payload: {}, cacheMode: "" };

let dir: string;
let checkout: string;
let env: Record<string, string>;
/** `$HOME` and the like in a path of a test. */
let placed: (text: string) => string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-sources-"));
  const home = join(dir, "home");
  const work = join(home, "work");
  checkout = join(work, "repo", "repo");
  const temp = join(work, "_temp");
  const commands = join(dir, "commands");
  for (const each of [checkout, join(checkout, ".git"), temp, commands, join(dir, "opt")]) {
    await mkdir(each, { recursive: true });
  }
  await writeFile(join(checkout, "note"), "ours");
  await writeFile(join(dir, "opt", "note"), "ours");
  await symlink("/proc/self/environ", join(checkout, "link"));
  await symlink("/proc/self", join(checkout, "process"));
  await symlink(temp, join(checkout, "temp"));
  await symlink(join(checkout, ".git"), join(checkout, "plain"));
  env = {
    HOME: home,
    RUNNER_TEMP: temp,
    RUNNER_WORKSPACE: join(work, "repo"),
    GITHUB_ENV: join(commands, "set_env_1"),
  };
  placed = (text) =>
    text
      .replace("$CHECKOUT", checkout)
      .replace("$TEMP", temp)
      .replace("$HOME", home)
      .replace("$DIR", dir);
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

function planOf(spec: string, inputs: Readonly<Record<string, string>> = {}): RunPlan {
  const text = `image: oci:./x\n${spec}`;
  const file = parseSpec(text, join(checkout, "agent.yaml"), checkout);
  const where = { name: "w", outputDir: "/o" };
  const flags = flagsOf(settingsOf({ file: "a", ...inputs }), where, file);
  return mergeSpec({ flags, file, surface: "dispatch", cwd: checkout });
}

async function judge(plan: RunPlan): Promise<void> {
  const sources = await hostSourcesOf(plan);
  refuseSecrets(plan, await variablesOf(plan, sources), push);
  await refuseSources(sources.files, checkout, env);
}

const forbidden = [
  "/proc/self/environ",
  "/proc/1/environ",
  "/proc/../proc/self/./environ",
  "//proc/self/environ",
  "/proc/self/task/1/environ",
  "/sys/kernel/notes",
  "/dev/stdin",
  "/dev/fd/3",
  "$CHECKOUT/link",
  "$CHECKOUT/process/environ",
  "$CHECKOUT/temp/secret",
  "$CHECKOUT/.git/config",
  "$CHECKOUT/.GIT/config",
  "$CHECKOUT/plain/config",
  "$CHECKOUT/../../_temp/_runner_file_commands/x",
  "$CHECKOUT/../../_diag/Runner.log",
  "$CHECKOUT/../../_actions/x",
  "$TEMP/script.sh",
  "$HOME/.docker/config.json",
  "$HOME/.ssh/id_ed25519",
  "$DIR/commands/set_env_1",
  "$DIR/opt/.credentials",
  "$DIR/opt/.runner",
];

test.each(forbidden)(
  "%s is no source for a guest, by whatever scheme and whoever names it",
  async (text) => {
    const path = placed(text);
    const swapFile = join(checkout, "swap.json");
    const swap = { type: "static", domains: ["api.example.com"], key_ref: `file:${path}` };
    await writeFile(swapFile, JSON.stringify({ swaps: { own: swap } }));
    const plans = [
      planOf(`files: [{ src: "${path}", dst: /x }]\nagent: { entry: a }\n`),
      planOf(`setup: [{ file: "${path}" }]\nagent: { entry: a }\n`),
      planOf(`agent: { entry: a, cred-swap: ["openai=file:${path}"] }\n`),
      planOf("agent: { entry: a }\n", { "cred-swap": `openai=dotenv:${path}#A` }),
      planOf("agent: { entry: a }\n", { secrets: `A=file:${path}` }),
      planOf("agent: { entry: a }\n", { secrets: `A=dotenv:${path}#A` }),
      planOf("agent: { entry: a }\n", { "egress-swap-config": swapFile }),
    ];
    for (const [at, plan] of plans.entries()) {
      await expect(judge(plan), `way ${at}`).rejects.toThrow("no source for a guest");
    }
  },
);

test("files of the checkout and of the host's other places are sources", async () => {
  for (const path of [join(checkout, "note"), join(dir, "opt", "note")]) {
    const spec = `files: [{ src: "${path}", dst: /x }]\nagent: { entry: a }\n`;
    await expect(judge(planOf(spec, { secrets: `A=file:${path}` }))).resolves.toBeUndefined();
  }
});

test("a variable of the runner's own is found however the swap file spells it", async () => {
  const swapFile = join(checkout, "swap.yaml");
  const spelled = String.raw`"\u0065nv:ACTIONS_RUNTIME_TOKEN"`;
  await writeFile(
    swapFile,
    `swaps:\n  own: { type: static, domains: [api.example.com], key_ref: ${spelled} }\n`,
  );
  const plan = planOf("agent: { entry: a }\n", { "egress-swap-config": swapFile });
  await expect(judge(plan)).rejects.toThrow("ACTIONS_RUNTIME_TOKEN");
});
