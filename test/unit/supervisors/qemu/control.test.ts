import { type Duplex, duplexPair } from "node:stream";
import { describe, expect, test } from "vitest";
import { withOp } from "../../../../src/base/op.ts";
import { openControl } from "../../../../supervisors/qemu/control.ts";

const greeting = '{"QMP": {"version": {}, "capabilities": []}}\n';

/** A scripted QEMU: answers each command with what `answer` returns. */
function scripted(answer: (command: string, id: number) => string): { ours: Duplex; qemu: Duplex } {
  const [ours, qemu] = duplexPair();
  qemu.setEncoding("utf8");
  qemu.on("data", (text: string) => {
    for (const line of text.split("\n").filter((each) => each !== "")) {
      const { execute, id } = JSON.parse(line) as { execute: string; id: number };
      qemu.write(answer(execute, id));
    }
  });
  qemu.write(greeting);
  return { ours, qemu };
}

const agreeable = (_command: string, id: number) => `{"return": {}, "id": ${id}}\n`;

describe("openControl", () => {
  test("is ready after the capabilities and runs commands", async () => {
    const seen: string[] = [];
    const { ours } = scripted((command, id) => {
      seen.push(command);
      return agreeable(command, id);
    });
    const control = openControl(ours);
    await control.ready;
    await withOp("t", {}, (op) => control.execute(op, "stop"));
    expect(seen).toEqual(["qmp_capabilities", "stop"]);
    ours.destroy();
    await control.ended;
  });

  test("answers come back to their commands, whatever is said between and however it is cut", async () => {
    const { ours, qemu } = scripted((command, id) =>
      command === "stop" ? '{"event": "STOP"}\nnot json\n[1]\nnull\n' : agreeable(command, id),
    );
    const control = openControl(ours);
    await control.ready;
    const stopped = withOp("t", {}, (op) => control.execute(op, "stop"));
    await withOp("t", {}, (op) => control.execute(op, "cont"));
    qemu.write('{"ret');
    qemu.write('urn": {"status": "paused"}, "id": 2}\n{"event": "SHUTDOWN", "data": {"reason"');
    qemu.write(': "guest-reset"}}\n');
    expect(await stopped).toEqual({ status: "paused" });
    expect(control.shutdownReason()).toBe("guest-reset");
    ours.destroy();
  });

  test("a refusal carries QEMU's description", async () => {
    const { ours } = scripted((command, id) =>
      command === "cont"
        ? `{"error": {"class": "GenericError", "desc": "Not now"}, "id": ${id}}\n`
        : agreeable(command, id),
    );
    const control = openControl(ours);
    await expect(withOp("t", {}, (op) => control.execute(op, "cont"))).rejects.toMatchObject({
      code: "vmm_failed",
      message: 'QEMU refused command "cont": Not now',
    });
    ours.destroy();
  });

  test("when QEMU goes, waiting and later commands fail", async () => {
    const { ours, qemu } = scripted((command, id) =>
      command === "stop" ? "" : agreeable(command, id),
    );
    const control = openControl(ours);
    await control.ready;
    const waiting = withOp("t", {}, (op) => control.execute(op, "stop"));
    qemu.destroy();
    ours.destroy();
    await expect(waiting).rejects.toMatchObject({ code: "vmm_failed" });
    await expect(withOp("t", {}, (op) => control.execute(op, "cont"))).rejects.toMatchObject({
      code: "vmm_failed",
    });
  });

  test("an endless line ends the connection instead of filling our memory", async () => {
    const { ours, qemu } = scripted(agreeable);
    const control = openControl(ours);
    await control.ready;
    qemu.write("x".repeat(2 * 1024 * 1024));
    await control.ended;
  });
});
