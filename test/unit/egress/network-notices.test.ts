import { expect, test } from "vitest";
import { MicroagentError } from "../../../src/base/errors.ts";
import { summarizeAudit } from "../../../src/egress/audit-log.ts";
import { type Network, withNetwork } from "./guest-network.ts";

const notice = (network: Network, protocol: string) =>
  network.open(`${JSON.stringify({ op: "unmediated", protocol, dst: "10.0.2.2", count: 1 })}\n`);

test("what becomes of the guest's network is told as that, and is no denied packet", async () => {
  await withNetwork({}, async (network) => {
    await notice(network, "network-restart");
    await notice(network, "interface-gone");
    await notice(network, "icmp");
    const [, ...events] = await network.events();
    expect(events).toMatchObject([
      { event: "egress_close", dst: "", reason: expect.stringContaining("process ended") },
      { event: "egress_close", dst: "", reason: expect.stringContaining("interface was removed") },
      { event: "egress_deny", dst: "10.0.2.2", signal: "unmediatable-protocol" },
    ]);
    expect(summarizeAudit(events)).toMatchObject({
      decision_count: 1,
      deny_by_host: { "10.0.2.2": 1 },
    });
  });
});

test("a guest that breaks its channel is noted, one that is ended is not", async () => {
  await withNetwork({}, async (network) => {
    network.lost(new MicroagentError("channel_closed", "The machine is gone"));
    network.lost(new MicroagentError("closed", "The workspace was closed"));
    network.lost(new MicroagentError("protocol_violation", "The guest sent a frame of type 77"));
    const events = await network.events();
    network.lost(new MicroagentError("protocol_violation", "And once more"));
    expect(events.slice(1)).toMatchObject([
      {
        event: "egress_close",
        signal: "unmediatable-protocol",
        reason: "the guest was cut off: The guest sent a frame of type 77",
      },
    ]);
  });
});
