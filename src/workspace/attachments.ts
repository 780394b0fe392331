import type { Agent } from "../agent/agent.ts";
import type { GuestCalls } from "../agent/guest-calls.ts";
import type { GuestServices } from "../agent/guest-network.ts";
import { CleanupStack } from "../base/cleanup.ts";
import type { Op } from "../base/op.ts";
import type { Leaving } from "../egress/leaving.ts";
import type { AuditReceipt } from "./audit-receipt.ts";
import type { MediationDeclared, MediationReadiness } from "./mediation.ts";
import type { NetworkOwner, OpenNetwork } from "./network.ts";
import type { NetworkRequest } from "./network-request.ts";
import type { SecretsDeclared, SecretsReport } from "./secret-delivery.ts";

/** What a guest is connected to beside its disks. */
export interface AttachmentRequest {
  /** Null: no interface, and no way out. */
  readonly network: NetworkRequest | null;
  readonly secrets: SecretsDeclared;
  readonly mediation: MediationDeclared | null;
}

/** A guest with nothing attached. */
export const nothingAttached: AttachmentRequest = {
  network: null,
  secrets: { files: [], onDemand: [], envFiles: [], audit: false },
  mediation: null,
};

/** The work channel of a guest. */
export interface MediationReport {
  readonly declared: MediationDeclared;
  /** Null before the first look. */
  readonly readiness: MediationReadiness | null;
}

/** The host's side of what a guest is connected to, from before its start to its end. */
export interface Attachments {
  readonly network: OpenNetwork | null;
  /** What was done with secrets so far; null without any. */
  readonly secretsReport: SecretsReport | null;
  /** The work channel as last seen; null without one. */
  readonly mediationReport: MediationReport | null;
  /** For `Agent.connect`. */
  readonly calls: GuestCalls;
  /** For `configure`. */
  readonly services: GuestServices;
  /** For every command of the user, complete after `deliver`; what he sets himself wins. */
  readonly env: Readonly<Record<string, string>>;
  /** The text without values that were given to the guest in secret. */
  redact(text: string): string;
  /** After `configure`, before anything of the user's runs. `user` as in `ExecRequest`. */
  deliver(op: Op, agent: Agent, user: string): Promise<void>;
  /** How far what it sends has come. */
  leaving(): readonly Leaving[];
  /** What it did on the network so far. Null when it never had one. */
  receipt(): Promise<AuditReceipt | null>;
  /** Cuts the guest off. Null when it never had a network. May be called again. */
  close(): Promise<AuditReceipt | null>;
}

/** Opens everything of a request, or nothing. */
export async function openAttachments(
  op: Op,
  request: AttachmentRequest,
  owner: NetworkOwner,
): Promise<Attachments> {
  await using undo = new CleanupStack();
  const secrets = await openSecrets(op, request.secrets);
  undo.defer(() => secrets?.close());
  const mediation = await openMediation(op, request.mediation);
  const network = await openNetworkOf(op, request.network, owner);
  undo.defer(async () => void (await network?.close()));
  const held = undo.release();
  return {
    network,
    get secretsReport() {
      return secrets?.report ?? null;
    },
    get mediationReport() {
      const { mediation: declared } = request;
      return mediation === null || declared === null
        ? null
        : { declared, readiness: mediation.readiness };
    },
    calls: { ...network?.calls, ...secrets?.calls, ...mediation?.calls },
    services: {
      secretsSocket: secrets?.services?.secretsSocket ?? null,
      mediationPort: mediation?.services.mediationPort ?? null,
    },
    get env() {
      return { ...network?.env, ...secrets?.env, ...mediation?.env };
    },
    redact: (text) => secrets?.redactions.apply(text) ?? text,
    async deliver(step, agent, user) {
      await secrets?.deliver(step, { agent, user, directory: owner.directory });
      await network?.deliver(step, agent);
      await mediation?.probe(step);
    },
    leaving: () => network?.leaving() ?? [],
    receipt: async () => (await network?.receipt()) ?? null,
    async close() {
      await held.run();
      return (await network?.close()) ?? null;
    },
  };
}

async function openSecrets(op: Op, declared: SecretsDeclared) {
  const { files, onDemand, envFiles } = declared;
  if (files.length + onDemand.length + envFiles.length === 0) return null;
  // Most runs have none: their start does not wait for the code.
  const { prepareSecrets } = await import("./secret-delivery.ts");
  return await prepareSecrets(op, declared);
}

async function openMediation(op: Op, declared: MediationDeclared | null) {
  if (declared === null) return null;
  const { Mediation } = await import("./mediation.ts");
  const mediation = new Mediation(declared);
  // A target that is not there is told before anybody waits for a boot.
  await mediation.probe(op);
  return mediation;
}

async function openNetworkOf(op: Op, request: NetworkRequest | null, owner: NetworkOwner) {
  if (request === null) return null;
  const { openNetwork } = await import("./network.ts");
  return await openNetwork(op, request, owner);
}
