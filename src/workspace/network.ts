import { join } from "node:path";
import type { Agent } from "../agent/agent.ts";
import type { GuestCalls } from "../agent/guest-calls.ts";
import type { GuestNetwork } from "../agent/guest-network.ts";
import { randomHex } from "../base/ids.ts";
import type { Op } from "../base/op.ts";
import { openAuditLog } from "../egress/audit-log.ts";
import { openEgress } from "../egress/egress.ts";
import type { Leaving } from "../egress/leaving.ts";
import { type AuditReceipt, auditFileName, auditReceipt } from "./audit-receipt.ts";
import type { NetworkRequest, SwapRequest } from "./network-request.ts";
import { type PortForward, publishPorts } from "./published-ports.ts";

/** The host's side of one guest's network, while its machine lives. */
export interface OpenNetwork {
  readonly request: NetworkRequest;
  readonly guest: GuestNetwork;
  readonly calls: GuestCalls;
  /** Variables that make the guest's programs trust and use what the swap gives them. */
  readonly env: Readonly<Record<string, string>>;
  /** With the host ports that were taken. */
  readonly forwards: readonly PortForward[];
  readonly auditPath: string;
  /** After `configure`, before anything of the user's runs: what the guest needs, then the ports. */
  deliver(op: Op, agent: Agent): Promise<void>;
  /** How far what the guest sends has come: to others, and to whoever uses its ports. */
  leaving(): readonly Leaving[];
  /** What it did so far. */
  receipt(): Promise<AuditReceipt>;
  /** Ends every flow and closes the ports; the receipt is whole from then on. May be called again. */
  close(): Promise<AuditReceipt>;
}

/** Whose network it is. */
export interface NetworkOwner {
  readonly name: string;
  readonly directory: string;
  /** The guest's own name. */
  readonly hostname: string;
}

/**
 * Opens the ports, the audit and the egress of a guest. Fails with `port_taken`, and with what the
 * swap's configuration is refused for.
 */
export async function openNetwork(
  op: Op,
  request: NetworkRequest,
  owner: NetworkOwner,
): Promise<OpenNetwork> {
  const { policy, guest } = request;
  if (policy.mode === "off") {
    const text = "Egress is off: whatever the guest sends leaves this host, unfiltered";
    op.report({ kind: "warning", text });
  }
  const swap = await swapOf(op, request.swap);
  const ports = await publishPorts(op, request.forwards);
  for (const { host, hostPort, guestPort } of ports.forwards) {
    const at = host.includes(":") ? `[${host}]` : host;
    op.report({ kind: "note", text: `Guest port ${guestPort} is published at ${at}:${hostPort}` });
  }
  const auditPath = join(owner.directory, auditFileName);
  const identity = { runtimeId: owner.name, sessionId: randomHex(8) };
  const audit = openAuditLog(auditPath, { identity, clock: op.clock });
  const egress = openEgress({
    policy,
    audit,
    interceptor: swap?.interceptor ?? null,
    identity,
    clock: op.clock,
    resolverAddresses: guest.dns,
    guestName: owner.hostname,
  });
  let closing: Promise<AuditReceipt> | null = null;
  const close = async () => {
    await Promise.all([ports.close(), egress.close()]);
    await audit.close();
    return await auditReceipt(auditPath, audit.position);
  };
  return {
    request,
    guest,
    calls: egress.calls,
    get env() {
      return swap?.env ?? {};
    },
    forwards: ports.forwards,
    auditPath,
    leaving: () => [egress.leaving(), ports.leaving()].filter((each) => each !== null),
    async deliver(step, agent) {
      void agent.closed.then((reason) => egress.lost(reason));
      await swap?.deliver(step, agent);
      ports.attach(agent);
    },
    async receipt() {
      const { position } = audit;
      await audit.flush();
      return await auditReceipt(auditPath, position);
    },
    close() {
      closing ??= close();
      return closing;
    },
  };
}

async function swapOf(op: Op, request: SwapRequest) {
  if (request.providers.length === 0 && request.configFile === null) return null;
  // Most runs swap nothing: their start does not wait for the code.
  const { openSwap } = await import("./swap.ts");
  return await openSwap(op, request);
}
