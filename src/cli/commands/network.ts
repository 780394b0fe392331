import type { Command } from "commander";
import { tableText } from "../render/table.ts";
import { stateDirOption } from "../state-dir-option.ts";
import { jsonText, type Terminal } from "../terminal.ts";

export function define(command: Command, terminal: Terminal): void {
  command
    .description("Show a workspace's network: mode, egress, published ports, addresses")
    .argument("<workspace>", "Name of a running or kept workspace")
    .option(...stateDirOption)
    .action(async (name: string, options: { stateDir?: string }) => {
      const { networkOf, stateLayout } = await import("../../index.ts");
      const network = await networkOf(stateLayout({ stateDir: options.stateDir }), name);
      if (terminal.json) {
        const document = { workspace: name, ...network };
        await terminal.writeOut(jsonText(document));
        return;
      }
      const { mode, egress, forwards, runtime } = network;
      const rows = [
        ["mode", mode],
        ["egress", egress ?? "-"],
        ...forwards.map(({ host, hostPort, guestPort }) => [
          "published",
          `${host.includes(":") ? `[${host}]` : host}:${hostPort} -> ${guestPort}`,
        ]),
        ["ipv4", runtime?.ipv4?.address ?? "-"],
        ["gateway", runtime?.ipv4?.gateway ?? "-"],
        ["ipv6", runtime?.ipv6?.address ?? "-"],
        ["ipv6 gateway", runtime?.ipv6?.gateway ?? "-"],
        ["dns", runtime?.dns.join(", ") ?? "-"],
      ];
      await terminal.writeOut(tableText(["FIELD", "VALUE"], rows));
    });
}
