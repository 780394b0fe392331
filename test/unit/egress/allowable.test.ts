import { describe, expect, test } from "vitest";
import { summarizeAudit } from "../../../src/egress/audit-log.ts";
import type { EgressPolicy } from "../../../src/egress/policy.ts";
import { type AuditReceipt, emptyReceipt } from "../../../src/workspace/audit-receipt.ts";
import { rules } from "../../support/egress-policy.ts";
import { mapped, type Network, withNetwork, withServer } from "./guest-network.ts";

const names = {
  "db.test": ["93.184.216.34"],
  "inside.test": ["10.1.2.3"],
  "metadata.test": ["169.254.169.254"],
  "both.test": ["93.184.216.35"],
};

async function allowable(
  policy: Partial<EgressPolicy>,
  attempt: (network: Network) => Promise<void>,
): Promise<AuditReceipt["allowable"]> {
  let found = emptyReceipt.allowable;
  await withNetwork({ policy, names }, async (network) => {
    await attempt(network);
    found = summarizeAudit(await network.events()).allowable;
  });
  return found;
}

describe("under strict", () => {
  const strict = { mode: "strict", allow: rules("db.test:5432") } as const;

  test("a name that was refused is listed without a port, since none is known", async () => {
    expect(await allowable(strict, async ({ dns }) => void (await dns("other.test")))).toEqual([
      "other.test",
    ]);
  });

  test("another port of a listed name is listed with it, the web's without", async () => {
    const attempt = async ({ lookUp, tcp }: Network, ports: readonly number[]) => {
      const [address = ""] = await lookUp("db.test");
      for (const port of ports) expect((await tcp(address, port)).answer.ok).toBe(false);
    };
    expect(await allowable(strict, (network) => attempt(network, [5433, 8080]))).toEqual([
      "db.test:5433",
      "db.test:8080",
    ]);
    expect(await allowable(strict, (network) => attempt(network, [5433, 443]))).toEqual([
      "db.test",
    ]);
  });

  test("an address is listed with its port", async () => {
    const attempt = async ({ tcp }: Network) => {
      await tcp("93.184.216.99", 443);
      await tcp("2606:4700::99", 22);
    };
    expect(await allowable(strict, attempt)).toEqual(["93.184.216.99:443", "[2606:4700::99]:22"]);
  });

  test("what a proxy was asked for is listed as it is, not with the proxy's port", async () => {
    await withServer(
      () => {},
      async (port) => {
        const policy = {
          mode: "strict",
          allow: rules("proxy.test"),
          hostMap: mapped({ "proxy.test": port }),
        } as const;
        const attempt = async ({ lookUp, tcp }: Network) => {
          const [address = ""] = await lookUp("proxy.test");
          const connection = await tcp(address, 3128);
          await connection.write("GET http://far.test/ HTTP/1.1\r\nHost: far.test\r\n\r\n");
          await connection.readAll().catch(() => {});
        };
        expect(await allowable(policy, attempt)).toEqual(["far.test"]);
      },
    );
  });
});

test("under guarded, inside addresses are, by the name that stands for them", async () => {
  const attempt = async ({ lookUp, tcp, udp }: Network) => {
    await lookUp("inside.test");
    await tcp("10.1.2.3", 6379);
    await udp("10.1.2.4", 123);
  };
  expect(await allowable({}, attempt)).toEqual(["10.1.2.4:123", "inside.test:6379"]);
});

test("nothing is listed that no list would allow", async () => {
  const attempt = async ({ lookUp, tcp, udp, open, dns }: Network) => {
    await lookUp("metadata.test");
    await tcp("169.254.169.254", 80);
    await tcp("127.0.0.1", 80);
    await tcp("224.0.0.1", 80);
    await udp("93.184.216.34", 443);
    await udp("10.1.2.3", 53);
    await dns("3.2.1.10.in-addr.arpa", 12);
    await dns("no host at all");
    await open(
      `${JSON.stringify({ op: "unmediated", protocol: "icmp", dst: "8.8.8.8", count: 1 })}\n`,
    );
  };
  expect(await allowable({}, attempt)).toEqual([]);
  expect(
    await allowable(
      { mode: "strict" },
      async ({ dns }) => void (await dns("1.1.1.1.in-addr.arpa", 12)),
    ),
  ).toEqual([]);
});
