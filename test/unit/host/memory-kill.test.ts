import { expect, test } from "vitest";
import {
  markMemoryKills,
  memoryKillHint,
  memoryKillSince,
  sayMemoryKill,
} from "../../../src/host/memory-kill.ts";
import { mountLine, noLimitV1, openFakeHost } from "../../fixtures/control-groups.ts";

const MiB = 1024 ** 2;
const unified = {
  "proc/self/mountinfo": mountLine("/sys/fs/cgroup", "cgroup2"),
  "proc/vmstat": "pgfault 9\noom_kill 3\n",
};

async function told(
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
): Promise<string | null> {
  await using host = await openFakeHost(before);
  const mark = markMemoryKills(host.root);
  expect(memoryKillSince(mark)).toBeNull();
  await host.write(after);
  const kill = memoryKillSince(mark);
  return kill === null ? null : sayMemoryKill("the VMM process", kill);
}

test("version 2: the limit of the container itself", async () => {
  const before = {
    ...unified,
    "proc/self/cgroup": "0::/\n",
    "sys/fs/cgroup/memory.max": `${2048 * MiB}\n`,
    "sys/fs/cgroup/memory.events": "max 5\noom 0\noom_kill 0\noom_group_kill 0\n",
    "sys/fs/cgroup/memory.events.local": "max 5\noom 0\noom_kill 0\n",
  };
  const local = { "sys/fs/cgroup/memory.events.local": "max 9\noom 1\noom_kill 1\n" };
  const one = { "sys/fs/cgroup/memory.events": "max 9\noom 1\noom_kill 1\noom_group_kill 0\n" };
  const whole = { "sys/fs/cgroup/memory.events": "max 9\noom 1\noom_kill 0\noom_group_kill 1\n" };
  const expected =
    "The kernel killed the VMM process: the memory limit of this container (2048 MiB) was reached";
  expect(await told(before, { ...local, ...one })).toBe(expected);
  expect(await told(before, { ...local, ...whole })).toBe(expected);
});

const nested = {
  ...unified,
  "proc/self/cgroup": "0::/pod/box\n",
  "sys/fs/cgroup/pod/memory.max": `${700 * MiB}\n`,
  "sys/fs/cgroup/pod/memory.events": "oom_kill 4\n",
  "sys/fs/cgroup/pod/memory.events.local": "oom 4\noom_kill 0\n",
  "sys/fs/cgroup/pod/box/memory.max": `${900 * MiB}\n`,
  "sys/fs/cgroup/pod/box/memory.events": "oom_kill 1\n",
  "sys/fs/cgroup/pod/box/memory.events.local": "oom 1\noom_kill 1\n",
};

test("version 2: the limit of a group above", async () => {
  expect(
    await told(nested, {
      "sys/fs/cgroup/pod/memory.events": "oom_kill 5\n",
      "sys/fs/cgroup/pod/memory.events.local": "oom 5\noom_kill 0\n",
      "sys/fs/cgroup/pod/box/memory.events": "oom_kill 2\n",
    }),
  ).toBe(
    'The kernel killed the VMM process: the memory limit of control group "pod" (700 MiB) was reached',
  );
});

test("version 2: a kill in a group beside ours is not ours", async () => {
  expect(
    await told(nested, {
      "proc/vmstat": "oom_kill 4\n",
      "sys/fs/cgroup/pod/memory.events": "oom_kill 5\n",
      "sys/fs/cgroup/pod/memory.events.local": "oom 5\noom_kill 0\n",
    }),
  ).toBeNull();
});

test("version 2: the host's own memory, when no limit was reached", async () => {
  expect(
    await told(nested, {
      "proc/vmstat": "oom_kill 4\n",
      "sys/fs/cgroup/pod/memory.events": "oom_kill 5\n",
      "sys/fs/cgroup/pod/box/memory.events": "oom_kill 2\n",
    }),
  ).toBe("The kernel killed the VMM process: the host had no memory left");
});

test("version 2: a limit above what a container sees", async () => {
  const before = {
    ...unified,
    "proc/self/cgroup": "0::/\n",
    "sys/fs/cgroup/memory.max": "max\n",
    "sys/fs/cgroup/memory.events": "oom_kill 0\n",
    "sys/fs/cgroup/memory.events.local": "oom 0\n",
  };
  expect(await told(before, { "sys/fs/cgroup/memory.events": "oom_kill 1\n" })).toBe(
    "The kernel killed the VMM process: the host, or a group above those that are visible here, had no memory left",
  );
});

const versionOne = {
  "proc/self/cgroup": "4:memory:/docker/01\n0::/\n",
  "proc/self/mountinfo":
    mountLine("/sys/fs/cgroup/memory", "cgroup", "/docker/01", "memory") +
    mountLine("/sys/fs/cgroup/unified", "cgroup2"),
  "proc/vmstat": "oom_kill 0\n",
  "sys/fs/cgroup/memory/memory.limit_in_bytes": `${512 * MiB}\n`,
  "sys/fs/cgroup/memory/memory.failcnt": "7\n",
  "sys/fs/cgroup/memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
};

test("version 1: the limit of the container", async () => {
  expect(
    await told(versionOne, {
      "proc/vmstat": "oom_kill 1\n",
      "sys/fs/cgroup/memory/memory.failcnt": "70\n",
      "sys/fs/cgroup/memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
    }),
  ).toBe(
    "The kernel killed the VMM process: the memory limit of this container (512 MiB) was reached",
  );
});

test("version 1: the limit of memory with swap, when it is the same", async () => {
  const swap = "sys/fs/cgroup/memory/memory.memsw.failcnt";
  expect(
    await told(
      { ...versionOne, [swap]: "0\n" },
      { [swap]: "12\n", "sys/fs/cgroup/memory/memory.oom_control": "oom_kill 3\n" },
    ),
  ).toContain("the memory limit of this container (512 MiB) was reached");
});

test("version 1 without a limit: the host's", async () => {
  expect(
    await told(
      { ...versionOne, "sys/fs/cgroup/memory/memory.limit_in_bytes": noLimitV1 },
      { "sys/fs/cgroup/memory/memory.oom_control": "oom_kill 3\n" },
    ),
  ).toBe(
    "The kernel killed the VMM process: the host, or a group above those that are visible here, had no memory left",
  );
});

test("without control groups the host's counter alone leaves a doubt", async () => {
  const before = { "proc/vmstat": "oom_kill 3\n" };
  expect(await told(before, { "proc/vmstat": "oom_kill 4\n" })).toBe(
    "The kernel probably killed the VMM process: the host, or a group above those that are visible here, had no memory left",
  );
  expect(await told(before, { "proc/vmstat": "oom_kill nonsense\n" })).toBeNull();
  expect(await told({}, { "proc/vmstat": "oom_kill 4\n" })).toBeNull();
});

test("the hint names what helps", () => {
  expect(memoryKillHint({ reason: "", limitMib: 512, certain: true })).toContain("raise the limit");
  expect(memoryKillHint({ reason: "", limitMib: null, certain: true })).toContain("more memory");
});
