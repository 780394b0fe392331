import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { catalogue } from "../../../src/cli/catalogue.ts";
import { examples } from "../../../src/cli/examples.ts";
import { runCli } from "../../../src/cli/program.ts";
import { progressView } from "../../../src/cli/render/progress.ts";
import type { Terminal } from "../../../src/cli/terminal.ts";

interface Heard {
  readonly terminal: Terminal;
  out: string;
  err: string;
}

function someTerminal(environment: Record<string, string> = {}, tty = false): Heard {
  const text = (data: string | Uint8Array) => Buffer.from(data).toString();
  const heard: Heard = {
    out: "",
    err: "",
    terminal: {
      version: "0.0.0",
      json: false,
      color: false,
      debug: false,
      exitCode: 0,
      stdoutIsTty: tty,
      stderrIsTty: tty,
      columns: 80,
      cwd: "/",
      environment,
      readerGone: false,
      writeOut: async (data) => {
        heard.out += text(data);
      },
      writeErr: async (data) => {
        heard.err += text(data);
      },
      onSignal: () => () => {},
      exitNow: () => {
        throw new Error("exitNow");
      },
      finish: async () => {},
    },
  };
  return heard;
}

async function run(argv: readonly string[], environment: Record<string, string> = {}) {
  const heard = someTerminal(environment);
  const code = await runCli(argv, heard.terminal);
  return { code, out: heard.out, err: heard.err };
}

test.each([["image"], ["kernel"], ["spec"], ["rootfs"]])(
  'the group "%s" without a subcommand explains itself',
  async (group) => {
    const { code, out, err } = await run([group]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toContain(`Usage: microagent ${group}`);
  },
);

test("help of a command shows its options", async () => {
  const { out } = await run(["help", "run"]);
  expect(out).toContain("--memory <MiB>");
});

test("a misspelt command gets one sentence and the command that was meant", async () => {
  const { code, err } = await run(["dispach"]);
  expect(code).toBe(2);
  expect(err).toBe(
    'error: Unknown command "dispach"\nhint: Did you mean dispatch? microagent --help shows how\n',
  );
});

test("too many arguments are one sentence", async () => {
  const { err } = await run(["version", "extra"]);
  expect(err).toMatch(/^error: Command "version" was given 1 argument: wanted none\n/);
});

test.each([
  [["image", "fetch"], "microagent image --help"],
  [["--json", "image", "pull"], "microagent image pull --help"],
  [["run", "--memroy", "5", "busybox"], "microagent run --help"],
  [["rm"], "microagent delete --help"],
])("%j is told which help shows how", async (argv, help) => {
  const { code, err } = await run(argv);
  expect(code).toBe(2);
  expect(err).toContain(`${help} shows how`);
});

test.each([
  [["--json", "nonsense"], {}],
  [["--output", "json", "nonsense"], {}],
  [["--output=json", "nonsense"], {}],
  [["nonsense"], { MICROAGENT_OUTPUT: "json" }],
  [["--json", "exec", "x"], {}],
])("a usage error is JSON when JSON was asked for: %j %j", async (argv, environment) => {
  const { err } = await run(argv, environment);
  expect(JSON.parse(err)).toMatchObject({ ok: false, error: { code: expect.any(String) } });
});

test("a global option behind the command is told where it stands", async () => {
  const { code, err } = await run(["run", "--json", "image"]);
  expect(code).toBe(2);
  expect(err).toContain("hint: It stands before the command: microagent --json run ...");
});

test.each([["run"], ["dispatch"]])(
  "%s takes no option behind the image for a command",
  async (name) => {
    const { code, err } = await run([name, "image", "--setup", "true"]);
    expect(code).toBe(2);
    expect(err).toContain(
      'Option "--setup" stands behind the image: wanted it before, or a command',
    );
  },
);

test.each([["run"], ["dispatch"]])(
  "%s without anything to run teaches, and runs nothing",
  async (name) => {
    const { code, err } = await run([name, "--memory", "256"]);
    expect(code).toBe(2);
    expect(err).toContain(
      `Command "${name}" has nothing to run: wanted an image, --file or --exec`,
    );
    expect(err).toContain(`microagent ${name} `);
  },
);

test("a spec file that is not there is told with what is", async () => {
  const dir = await mkdtemp(join(tmpdir(), "microagent-cli-"));
  try {
    const empty = await run(["spec", "validate", join(dir, "agnet.yaml")]);
    expect(empty.err).toContain(`hint: Directory "${dir}" has no spec file`);
    await writeFile(join(dir, "agent.yaml"), "");
    const near = await run(["spec", "validate", join(dir, "agnet.yaml")]);
    expect(near.err).toContain(`hint: Did you mean "${join(dir, "agent.yaml")}"?`);
    const far = await run(["spec", "validate", join(dir, "quite-another.yaml")]);
    expect(far.err).toContain(`hint: Directory "${dir}" has "agent.yaml"`);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

test.each([
  [".", /is a directory: wanted a file/],
  ["deep/er/rootfs.img", /^error: Directory ".*deep\/er" does not exist/],
])("rootfs build --out %s is refused before the image is looked for", async (out, message) => {
  const dir = await mkdtemp(join(tmpdir(), "microagent-cli-"));
  try {
    const words = ["rootfs", "build", "--image", "oci:/nowhere:latest", "--out", join(dir, out)];
    const { code, err } = await run([...words, "--allow-mutable", "--state-dir", dir]);
    expect(code).toBe(1);
    expect(err).toMatch(message);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

test("spec validate tells every problem, as text and as JSON", async () => {
  const dir = await mkdtemp(join(tmpdir(), "microagent-cli-"));
  try {
    const file = join(dir, "bad.yaml");
    await writeFile(file, "imagee: x\nprofile: huge\nsetup: true\n");
    const text = await run(["spec", "validate", file]);
    expect(text.code).toBe(1);
    for (const line of [1, 2, 3]) expect(text.err).toContain(`error: ${file}:${line}:`);
    expect(text.err.endsWith("\n3 problems\n")).toBe(true);
    const json = JSON.parse((await run(["--json", "spec", "validate", file])).err);
    expect(json.problems.map((each: { line: number }) => each.line)).toEqual([1, 2, 3]);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

test("progress does not draw over a line that the output left open", () => {
  const heard = someTerminal({}, true);
  const view = progressView(heard.terminal);
  view.outputComes(Buffer.from("hello"));
  view.listener({ kind: "step-start", path: "dispatch/teardown" });
  expect(heard.err).toBe("\n\r\u001b[2Kteardown ...");
  view.outputComes(Buffer.from("more\n"));
  view.clear();
  expect(heard.err).toBe("\n\r\u001b[2Kteardown ...\r\u001b[2K");
});

test("foreign text in notes reaches a terminal without control characters", () => {
  const heard = someTerminal({}, true);
  progressView(heard.terminal).listener({
    kind: "warning",
    text: "bad \u001b]0;title\u0007",
    path: "x",
  });
  expect(heard.err).toBe("warning: bad \ufffd]0;title\ufffd\n");
});

test.each([
  ["quarantine", "microagent pause"],
  ["commit", "microagent snapshot create"],
  ["apply", "microagent create"],
  ["resize", "--size-mib"],
  ["supervise", "microagent start NAME --wait"],
])('the command "%s" of the contract, which is not there, says what is', async (name, instead) => {
  const { code, err } = await run([name, "dev"]);
  expect(code).toBe(1);
  expect(err).toContain(`Command "${name}" is not supported yet`);
  expect(err).toContain(instead);
});

test("removing an image that is not there is an error that names it", async () => {
  const dir = await mkdtemp(join(tmpdir(), "images-"));
  try {
    const { code, out, err } = await run(["image", "rm", "example.test/none", "--state-dir", dir]);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toContain('No image is named "example.test/none:latest"');
    expect(err).toContain("microagent image list");
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

/** Every command that does something, by its words. */
async function leaves(words: readonly string[]): Promise<readonly string[]> {
  const { out } = await run([...words, "--help"]);
  const [, below = ""] = /\nCommands:\n([\s\S]*?)(\n\n|$)/.exec(out) ?? [];
  const names = [...below.matchAll(/^ {2}([a-z]+)/gm)].map(([, name]) => name ?? "");
  const deeper = names.filter((name) => name !== "help").map((name) => leaves([...words, name]));
  // A group may be a command as well.
  return [words.join(" "), ...(await Promise.all(deeper)).flat()];
}

test("the help of every command has an example whose flags it knows", async () => {
  const all = (await Promise.all(catalogue.map(({ name }) => leaves([name])))).flat();
  expect(Object.keys(examples).filter((name) => !all.includes(name))).toEqual([]);
  const bare = ["version", "spec", "image", "rootfs", "kernel", "template", "secret"];
  for (const name of all.filter((each) => !bare.includes(each))) {
    const { out } = await run([...name.split(" "), "--help"]);
    expect({ name, out }).toEqual({ name, out: expect.stringMatching(/\nExamples?:\n {2}/) });
    const lines = (examples[name] ?? []).flatMap((line) => line.split(" && "));
    const own = lines.filter((line) => line.startsWith(`microagent ${name} `));
    for (const flag of own.flatMap((line) => line.match(/ --[a-z0-9-]+/g) ?? [])) {
      // The example is in the help as well.
      const [before = ""] = out.split("\nExample");
      expect({ name, before }).toEqual({ name, before: expect.stringContaining(flag) });
    }
  }
});
