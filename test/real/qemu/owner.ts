// Child of death.test.ts: boots a machine and then waits, or ends without tidying up.
// Arguments: kernel and initramfs as JSON, console file, "wait" | "exit" | "throw".
import { writeSync } from "node:fs";
import { withOp } from "../../../src/base/op.ts";
import { hostHandshake } from "../../../src/channel/handshake.ts";
import type { KernelImage } from "../../../src/supervisor/port.ts";
import { createQemuSupervisor } from "../../../supervisors/qemu/supervisor.ts";

const [kit = "", consolePath = "", ending = ""] = process.argv.slice(2);
const { kernel, initramfsPath, name } = JSON.parse(kit) as {
  kernel: KernelImage;
  initramfsPath: string;
  name: string;
};

await withOp("owner", {}, async (op) => {
  const supervisor = createQemuSupervisor();
  const cacheDir = `${consolePath}.cache`;
  const probe = await supervisor.probe(op, { accel: "tcg", kernel, initramfsPath, cacheDir });
  if (!probe.ok) throw probe.refusals[0];
  const request = { name, memoryMib: 256, cpus: 1, kernel, initramfsPath, disks: [], cmdline: [] };
  const machine = await supervisor.start(
    op,
    supervisor.plan({ ...request, consolePath }, probe.host),
  );
  await hostHandshake(op, machine.link);
  writeSync(1, `${machine.pid}\n`);
  if (ending === "exit") process.exit(0);
  if (ending === "throw") throw new TypeError("unexpected");
  await machine.exit;
});
