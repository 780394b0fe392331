import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ErrorCode } from "../../src/base/errors.ts";
import { type DispatchResult, dispatch } from "../../src/workspace/dispatch.ts";
import { listWorkspaces } from "../../src/workspace/listing.ts";
import { manifestJson } from "../../src/workspace/result-json.ts";
import type { GuestFault, MachineFault } from "../../supervisors/memory/index.ts";
import { ampleBounds, memoryEngine, shortBounds, someDispatch } from "./memory-engine.ts";
import { Random } from "./random.ts";

/** What may strike, and how a run that it strikes may end; an empty list means an ordinary end. */
interface Strike {
  readonly name: string;
  readonly guest?: GuestFault;
  readonly machine?: (random: Random) => MachineFault;
  readonly codes: readonly ErrorCode[];
}

const bytes = (text: string) => new TextEncoder().encode(text);

const strikes: readonly Strike[] = [
  { name: "nothing", codes: [] },
  { name: "a silent guest", guest: { kind: "silent" }, codes: ["boot_timeout"] },
  { name: "nonsense", guest: { kind: "bad-hello" }, codes: ["protocol_violation"] },
  {
    name: "an endless hello",
    guest: { kind: "bad-hello", bytes: bytes("x".repeat(100_000)) },
    codes: ["protocol_violation"],
  },
  {
    name: "a refusing guest",
    guest: { kind: "refuses", code: "io_error", message: "no" },
    codes: ["guest_refused", "agent_mismatch"],
  },
  {
    name: "garbage in the session",
    guest: { kind: "raw-on-exec", bytes: bytes("garbage, not yamux") },
    codes: ["protocol_violation"],
  },
  {
    name: "an oversized frame",
    guest: { kind: "oversized-frame-on-exec" },
    codes: ["protocol_violation"],
  },
  {
    name: "ten thousand streams",
    // Refused one by one: a flood is a nuisance, not the end.
    guest: { kind: "stream-flood-on-exec", count: 10_000 },
    codes: [],
  },
  {
    name: "a death in the middle",
    guest: { kind: "dies-mid-exec" },
    codes: ["vmm_failed", "guest_crashed", "channel_closed"],
  },
  {
    name: "a guest that will not power off",
    guest: { kind: "ignores-power-off" },
    codes: [],
  },
  {
    name: "a failing start",
    machine: () => ({ kind: "start-fails", detail: "no memory" }),
    codes: ["vmm_failed"],
  },
  {
    name: "a panic",
    machine: (random) => ({ kind: "panics", afterMs: random.below(60), detail: "sim" }),
    codes: ["guest_crashed"],
  },
  {
    name: "a kill",
    machine: (random) => ({ kind: "killed", afterMs: random.below(60), signal: "SIGKILL" }),
    codes: ["machine_killed"],
  },
];

/** Seeds that are always run; one fresh seed is added and printed when it fails. */
const seeds = [1, 2, 3, Date.now() % 1_000_000];

for (const strike of strikes) {
  test(`a run struck by ${strike.name} ends in a named outcome and leaves nothing`, async () => {
    for (const seed of seeds) {
      const dir = await mkdtemp(join(tmpdir(), "microagent-sim-"));
      try {
        const result = await strikeOnce(dir, strike, new Random(seed));
        const struck = result.termination.kind === "failed" ? result.termination.error.code : null;
        const ended = result.termination.kind === "exited";
        const fits =
          strike.codes.length === 0 ? ended : ended || strike.codes.some((c) => c === struck);
        expect(fits, `seed ${seed}: ${JSON.stringify(result.termination)}`).toBe(true);
        for (const kind of ["leases", "runtime"]) {
          const left = await readdir(join(dir, "state", kind)).catch(() => []);
          expect(left, `seed ${seed}: ${kind}`).toEqual([]);
        }
      } finally {
        await rm(dir, { recursive: true, force: true });
      }
    }
  });
}

test("a strike that always hits is always told", async () => {
  const dir = await mkdtemp(join(tmpdir(), "microagent-sim-"));
  try {
    for (const strike of strikes.filter(
      (each) => each.guest !== undefined && each.codes.length > 0,
    )) {
      const result = await strikeOnce(dir, strike, new Random(7));
      expect(result.termination, strike.name).toMatchObject({ kind: "failed" });
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

test("a hang before the handshake is started over once, and told", async () => {
  const dir = await mkdtemp(join(tmpdir(), "microagent-sim-"));
  try {
    const { engine } = await memoryEngine(dir, {
      guest: (_plan, start) => (start === 1 ? { fault: { kind: "silent" } } : {}),
    });
    const { boot } = someDispatch(dir);
    const bounds = { ...ampleBounds, bootMs: 2_000 };
    const result = await dispatch(engine, someDispatch(dir, { boot: { ...boot, bounds } }));
    expect(result.termination).toEqual({ kind: "exited", exitCode: 0 });
    expect(result.boot).toMatchObject({
      attempts: 2,
      retryReason: expect.stringContaining("2000 ms"),
    });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

test("an abort at any moment ends as interrupted or as the run had ended already", async () => {
  for (const seed of seeds) {
    const random = new Random(seed);
    const dir = await mkdtemp(join(tmpdir(), "microagent-sim-"));
    try {
      const { engine } = await memoryEngine(dir, {});
      const controller = new AbortController();
      const run = dispatch(
        engine,
        someDispatch(dir, { command: { kind: "shell", text: "echo up; sleep 5" } }),
        { signal: controller.signal },
      );
      setTimeout(() => controller.abort({ signal: "SIGINT" }), random.below(120));
      const result = await run;
      expect(result.termination, `seed ${seed}`).toEqual({ kind: "interrupted", signal: "SIGINT" });
      for (const kind of ["leases", "runtime"]) {
        const left = await readdir(join(dir, "state", kind)).catch(() => []);
        expect(left, `seed ${seed}: ${kind}`).toEqual([]);
      }
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  }
});

test("an abort while the boot goes on leaves nothing when the run has returned", async () => {
  const dir = await mkdtemp(join(tmpdir(), "microagent-sim-"));
  try {
    const { engine, supervisor } = await memoryEngine(dir, {
      guest: { fault: { kind: "silent" } },
    });
    const controller = new AbortController();
    const run = dispatch(engine, someDispatch(dir), {
      signal: controller.signal,
      onProgress: (event) => {
        if (event.kind === "step-start" && event.path === "dispatch/boot/handshake") {
          controller.abort({ signal: "SIGTERM" });
        }
      },
    });
    expect((await run).termination).toEqual({ kind: "interrupted", signal: "SIGTERM" });
    expect(supervisor.control.startedCount).toBe(1);
    for (const kind of ["leases", "runtime"]) {
      expect(await readdir(join(dir, "state", kind)), kind).toEqual([]);
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

test("the setup commands share one bound", async () => {
  const dir = await mkdtemp(join(tmpdir(), "microagent-sim-"));
  try {
    const { engine } = await memoryEngine(dir, {});
    const heard: string[] = [];
    const result = await dispatch(
      engine,
      someDispatch(dir, {
        setup: ["echo one; sleep 0.7", "echo two; sleep 0.7", "echo three"],
        timeoutMs: 1_000,
      }),
      { onOutput: (_phase, _stream, data) => void heard.push(Buffer.from(data).toString()) },
    );
    expect(result.termination).toEqual({ kind: "timed_out", timeoutMs: 1_000 });
    expect(heard.join("")).toBe("one\ntwo\n");
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

test("a guest that forgets its bound is held to it, and its outputs are still asked for", async () => {
  const dir = await mkdtemp(join(tmpdir(), "microagent-sim-"));
  try {
    const { engine } = await memoryEngine(dir, {
      guest: { fault: { kind: "hangs-on-exec" }, files: { "/note": "kept" } },
    });
    const result = await dispatch(
      engine,
      someDispatch(dir, { outputs: [{ name: "note", path: "/note" }], timeoutMs: 100 }),
    );
    expect(result.termination).toEqual({ kind: "timed_out", timeoutMs: 100 });
    expect(result.outputs.artifacts.map((each) => each.path)).toEqual(["note/note"]);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}, 30_000);

test("an output directory that cannot be is the caller's matter, not a bug of ours", async () => {
  const dir = await mkdtemp(join(tmpdir(), "microagent-sim-"));
  try {
    const { engine } = await memoryEngine(dir, { guest: { files: { "/note": "kept" } } });
    const result = await dispatch(
      engine,
      // The base image is a file.
      someDispatch(dir, {
        outputs: [{ name: "note", path: "/note" }],
        outputDir: join(dir, "base.erofs"),
      }),
    );
    const error = { code: "invalid_argument" };
    expect(result.termination).toMatchObject({ kind: "failed", error });
    expect(result.outputs.incomplete).toMatchObject([{ output: "note", error }]);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

test("a state directory that is a file is named, for listing and for collecting", async () => {
  const dir = await mkdtemp(join(tmpdir(), "microagent-sim-"));
  try {
    const { engine } = await memoryEngine(dir, {});
    const layout = { ...engine.layout, leases: join(dir, "base.erofs") };
    await expect(listWorkspaces(layout)).rejects.toMatchObject({ code: "store_corrupt" });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

async function strikeOnce(dir: string, strike: Strike, random: Random): Promise<DispatchResult> {
  const { engine, supervisor } = await memoryEngine(dir, {
    guest: { fault: strike.guest ?? null, files: { "/note": "kept" } },
  });
  if (strike.machine !== undefined) supervisor.control.inject(strike.machine(random));
  const request = someDispatch(dir);
  const bounds = strike.guest?.kind === "silent" ? shortBounds : ampleBounds;
  return await dispatch(
    engine,
    someDispatch(dir, {
      boot: { ...request.boot, bounds },
      outputs: [{ name: "note", path: "/note" }],
      setup: random.below(2) === 0 ? ["true"] : [],
      command:
        random.below(2) === 0
          ? { kind: "argv", argv: ["echo", "hello"] }
          : { kind: "shell", text: "echo up; sleep 0.03" },
      keep: random.below(3) === 0,
    }),
  );
}

test("an output never replaces what no earlier run made, and a missing one leaves nothing stale", async () => {
  const dir = await mkdtemp(join(tmpdir(), "microagent-sim-"));
  try {
    const { engine } = await memoryEngine(dir, { guest: { files: { "/note": "kept" } } });
    const outputDir = join(dir, "out");
    await mkdir(join(outputDir, "note"), { recursive: true });
    await writeFile(join(outputDir, "note", "mine.txt"), "mine");
    const outputs = [{ name: "note", path: "/note" }];
    const refused = await dispatch(engine, someDispatch(dir, { outputs }));
    expect(refused.outputs.incomplete).toMatchObject([
      { output: "note", error: { code: "output_refused" } },
    ]);
    expect(await readFile(join(outputDir, "note", "mine.txt"), "utf8")).toBe("mine");

    await rm(join(outputDir, "note"), { recursive: true });
    const first = await dispatch(engine, someDispatch(dir, { outputs }));
    expect(first.outputs.written).toEqual(["note"]);
    await writeFile(join(outputDir, "manifest.json"), JSON.stringify(manifestJson(first)));
    const again = await dispatch(engine, someDispatch(dir, { outputs }));
    expect(again.outputs.written).toEqual(["note"]);
    const gone = await dispatch(
      engine,
      someDispatch(dir, { outputs: [{ name: "note", path: "/nowhere" }] }),
    );
    expect(gone.outputs.missing).toEqual(["note"]);
    expect(await readdir(outputDir)).toEqual(["manifest.json"]);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
