import { expect, test } from "vitest";
import {
  boundMemoryMib,
  boundProcessors,
  groupName,
  memoryLimit,
  processorLimit,
} from "../../../src/host/group-limits.ts";
import { mountLine, noLimitV1, openFakeHost } from "../../fixtures/control-groups.ts";

const MiB = 1024 ** 2;
const unified = mountLine("/sys/fs/cgroup", "cgroup2");

function versionOne(group: string): string {
  return (
    mountLine("/sys/fs/cgroup/memory", "cgroup", group, "memory") +
    mountLine("/sys/fs/cgroup/cpu,cpuacct", "cgroup", group, "cpu,cpuacct")
  );
}

test("version 2: the tightest of all levels counts, and has its name", async () => {
  await using host = await openFakeHost({
    "proc/self/cgroup": "0::/user.slice/job.scope\n",
    "proc/self/mountinfo": unified,
    "sys/fs/cgroup/user.slice/memory.max": `${3 * 1024 * MiB}\n`,
    "sys/fs/cgroup/user.slice/cpu.max": "150000 100000\n",
    "sys/fs/cgroup/user.slice/job.scope/memory.max": "max\n",
    "sys/fs/cgroup/user.slice/job.scope/cpu.max": "max 100000\n",
  });
  const limit = memoryLimit(host.root);
  expect(limit?.value).toBe(3 * 1024 * MiB);
  expect(limit === null ? null : groupName(limit.group)).toBe('control group "user.slice"');
  expect(processorLimit(host.root)?.value).toBe(1.5);
  expect(boundMemoryMib(8 * 1024 * MiB, host.root)).toBe(3 * 1024);
  expect(boundProcessors(8, host.root)).toBe(2);
});

test("version 2 in a name space of its own: the group at the top is the container's", async () => {
  await using host = await openFakeHost({
    "proc/self/cgroup": "0::/\n",
    "proc/self/mountinfo": unified,
    "sys/fs/cgroup/memory.max": `${2048 * MiB}\n`,
    "sys/fs/cgroup/memory.high": `${1536 * MiB}\n`,
    "sys/fs/cgroup/cpu.max": "50000 100000\n",
  });
  const limit = memoryLimit(host.root);
  expect(limit?.value).toBe(1536 * MiB);
  expect(limit === null ? null : groupName(limit.group)).toBe("this container");
  expect(boundProcessors(8, host.root)).toBe(1);
});

test.each([
  ["named as the host names it", "/docker/0123", "/docker/0123"],
  ["in a name space of its own", "/", "/"],
  ["entered from outside", "/../0123", "/"],
  ["mounted from above", "/", "/../.."],
])("version 1, a container %s", async (_what, group, mounted) => {
  await using host = await openFakeHost({
    "proc/self/cgroup": `4:memory:${group}\n3:cpu,cpuacct:${group}\n0::${group}\n`,
    "proc/self/mountinfo": versionOne(mounted),
    "sys/fs/cgroup/memory/memory.limit_in_bytes": `${2048 * MiB}\n`,
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "100000\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
  });
  const limit = memoryLimit(host.root);
  expect(limit?.value).toBe(2048 * MiB);
  expect(limit === null ? null : groupName(limit.group)).toBe("this container");
  expect(processorLimit(host.root)?.value).toBe(1);
});

test("version 1 and 2 side by side: limits of both count", async () => {
  await using host = await openFakeHost({
    "proc/self/cgroup": "4:memory:/jobs/one\n0::/jobs\n",
    "proc/self/mountinfo":
      versionOne("/") + mountLine("/sys/fs/cgroup/unified", "cgroup2").replace("ro,", "rw,"),
    "sys/fs/cgroup/memory/memory.limit_in_bytes": noLimitV1,
    "sys/fs/cgroup/memory/jobs/memory.limit_in_bytes": `${512 * MiB}\n`,
    "sys/fs/cgroup/memory/jobs/one/memory.limit_in_bytes": noLimitV1,
    "sys/fs/cgroup/unified/jobs/cpu.max": "300000 100000\n",
  });
  expect(memoryLimit(host.root)?.value).toBe(512 * MiB);
  expect(processorLimit(host.root)?.value).toBe(3);
});

test("of two mounts of one hierarchy, the one that shows more levels is read", async () => {
  await using host = await openFakeHost({
    "proc/self/cgroup": "0::/pod/box\n",
    "proc/self/mountinfo":
      mountLine("/narrow", "cgroup2", "/pod/box") + mountLine("/wide\\040view", "cgroup2", "/"),
    "wide view/pod/memory.max": `${700 * MiB}\n`,
    "narrow/memory.max": "max\n",
  });
  expect(memoryLimit(host.root)?.value).toBe(700 * MiB);
});

test.each([
  ["nothing at all", {}],
  ["no mounts", { "proc/self/cgroup": "0::/a\n" }],
  [
    "no limit",
    {
      "proc/self/cgroup": "0::/a\n4:memory:/\n3:cpu:/\n",
      "proc/self/mountinfo": unified + versionOne("/"),
      "sys/fs/cgroup/a/memory.max": "max\n",
      "sys/fs/cgroup/a/cpu.max": "max 100000\n",
      "sys/fs/cgroup/memory/memory.limit_in_bytes": noLimitV1,
      "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
      "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    },
  ],
  [
    "nonsense",
    {
      "proc/self/cgroup": "\0:::\n0::relative\n0::/a/../../etc\nfoo\n99999:memory\n",
      "proc/self/mountinfo": `${unified} - \n- - -\n80 79 - cgroup2\n`,
      "sys/fs/cgroup/memory.max": "-5\n12\n",
      "sys/fs/cgroup/memory.high": "1e9\n",
      "sys/fs/cgroup/cpu.max": "100000 0\n",
    },
  ],
])("%s leaves the host's own size", async (_what, files) => {
  await using host = await openFakeHost(files as Record<string, string>);
  expect(memoryLimit(host.root)).toBeNull();
  expect(processorLimit(host.root)).toBeNull();
  expect(boundMemoryMib(4096 * MiB, host.root)).toBe(4096);
  expect(boundProcessors(4, host.root)).toBe(4);
});

test("a limit above what the host has changes nothing", async () => {
  await using host = await openFakeHost({
    "proc/self/cgroup": "0::/\n",
    "proc/self/mountinfo": unified,
    "sys/fs/cgroup/memory.max": `${64 * 1024 * MiB}\n`,
    "sys/fs/cgroup/cpu.max": "6400000 100000\n",
  });
  expect(boundMemoryMib(4096 * MiB, host.root)).toBe(4096);
  expect(boundProcessors(4, host.root)).toBe(4);
});

test("a group's name is foreign text", async () => {
  await using host = await openFakeHost({
    "proc/self/cgroup": "0::/a\u001b[31m\n",
    "proc/self/mountinfo": unified,
    "sys/fs/cgroup/a\u001b[31m/memory.max": "1048576\n",
  });
  const limit = memoryLimit(host.root);
  expect(limit === null ? null : groupName(limit.group)).toBe('control group "a?[31m"');
});
