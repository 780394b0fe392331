import { expect, test } from "vitest";
import { type Address, parseAddress } from "../../../src/egress/address.ts";
import { dial } from "../../../src/egress/dial.ts";
import { inTime } from "../channel/sessions.ts";
import { withServer } from "./guest-network.ts";

function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === null) throw new TypeError(`"${text}" is no address`);
  return parsed;
}

test("the next address is tried when the first refuses, and the first failure is the one reported", async () => {
  let closed = 0;
  await withServer(
    () => {},
    async (port) => {
      closed = port;
    },
  );
  let connections = 0;
  await withServer(
    () => {
      connections += 1;
    },
    async (port) => {
      await inTime(async (op) => {
        const refusing = { address: address("127.0.0.1"), port: closed };
        const open = { address: address("127.0.0.1"), port };
        const dialed = await dial(op, [refusing, open, open]);
        expect(dialed).toMatchObject({ connected: true, endpoint: open });
        if (dialed.connected) dialed.socket.destroy();
        expect(connections).toBe(1);
        const failed = await dial(op, [refusing, { address: address("::1"), port: closed }]);
        expect(failed).toEqual({
          connected: false,
          code: "refused",
          reason: `127.0.0.1:${closed} refused the connection`,
        });
      });
    },
  );
});
