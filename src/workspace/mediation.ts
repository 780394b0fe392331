import type { GuestCallStream, GuestCalls } from "../agent/guest-calls.ts";
import { errnoOf, isMicroagentError, MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Op } from "../base/op.ts";
import { dialTcp } from "../host/dial-tcp.ts";
import { JoinedSocket } from "./socket-bridge.ts";

/** The work channel of a run. As `RunPlan.mediation`. */
export interface MediationDeclared {
  /** Of the guest's 127.0.0.1. */
  readonly port: number;
  /** `host:port` as this host reaches it. */
  readonly target: string;
  /** No workload without a target that answers. */
  readonly required: boolean;
}

/** Whether the target took a connection when it was last looked at. */
export interface MediationReadiness {
  readonly ready: boolean;
  readonly observedAt: Date;
  /** Why not, null when ready. */
  readonly error: string | null;
}

/**
 * The guest's way to one TCP port of the host, whatever network it has. Bytes are carried as they are; each of the guest's
 * connections is one to the target.
 */
export class Mediation {
  /** For the workload's environment. */
  readonly env: Readonly<Record<string, string>>;
  /** For `configure`. */
  readonly services: { readonly mediationPort: number };
  readonly calls: Pick<GuestCalls, "mediation">;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #declared: MediationDeclared;
  #open = 0;
  #warned = false;
  #readiness: MediationReadiness | null = null;

  constructor(declared: MediationDeclared) {
    if (declared.port > 0xffff) {
      throw new MicroagentError(
        "invalid_argument",
        `Mediation port ${declared.port} is no TCP port: wanted one up to 65535`,
      );
    }
    this.#declared = declared;
    this.#target = hostAndPort(declared.target);
    this.env = { MICROAGENT_MEDIATION_ADDR: `127.0.0.1:${declared.port}` };
    this.services = { mediationPort: declared.port };
    this.calls = { mediation: (op, stream) => this.#carry(op, stream) };
  }

  /** As last observed, by a probe or by a connection of the guest's; null before the first. */
  get readiness(): MediationReadiness | null {
    return this.#readiness;
  }

  /**
   * Connects and closes, a few times within seconds. `mediation_unavailable` when nobody answers and the channel is
   * required; else the readiness says so. To be called before a boot and again before the workload starts.
   */
  async probe(op: Op): Promise<MediationReadiness> {
    const { probeTries, probePauseMs } = limits.mediation;
    for (let attempt = 1; ; attempt++) {
      const socket = await this.#dial(op);
      socket?.destroy();
      if (socket !== null || attempt === probeTries) break;
      await op.sleep(probePauseMs);
    }
    const found = this.#readiness ?? this.#observe(op, "it was not looked at");
    if (!found.ready && this.#declared.required) throw this.#unavailable(found);
    if (found.error !== null && !this.#warned) {
      this.#warned = true;
      op.report({
        kind: "warning",
        text: `Mediation target "${this.#declared.target}" does not answer (${found.error}); the guest's connections are reset until it does`,
      });
    }
    return found;
  }

  async #carry(op: Op, call: GuestCallStream): Promise<void> {
    if (this.#open >= limits.mediation.connectionsMax) {
      call.refuse("limit", `More than ${limits.mediation.connectionsMax} mediation connections`);
      return;
    }
    this.#open += 1;
    try {
      const socket = await this.#dial(op);
      if (socket === null) {
        call.refuse("refused", "The mediation target does not answer");
        return;
      }
      const guest = { connectPort: async () => call.accept() };
      await new JoinedSocket(socket).carry(op, guest, this.#target.port);
    } finally {
      this.#open -= 1;
    }
  }

  /** Null when the target does not answer; either way the readiness is known then. */
  async #dial(op: Op): Promise<Awaited<ReturnType<typeof dialTcp>> | null> {
    try {
      const socket = await op.step("mediation", (step) => dialTcp(step, this.#target), {
        timeoutMs: limits.mediation.dialMs,
      });
      this.#observe(op, null);
      return socket;
    } catch (error) {
      op.check();
      const late = isMicroagentError(error) && error.code === "timeout";
      this.#observe(op, late ? "ETIMEDOUT" : (errnoOf(error) ?? "unknown reason"));
      return null;
    }
  }

  #observe(op: Op, error: string | null): MediationReadiness {
    this.#readiness = { ready: error === null, observedAt: new Date(op.clock.now()), error };
    return this.#readiness;
  }

  #unavailable({ error: reason, observedAt }: MediationReadiness): MicroagentError {
    return new MicroagentError(
      "mediation_unavailable",
      `Mediation target "${this.#declared.target}" does not answer (${reason}): wanted a listener before the workload starts`,
      {
        hint: "Start the host's side first, or loosen it with --mediation-optional",
        details: { target: this.#declared.target, reason, observedAt: observedAt.toISOString() },
      },
    );
  }
}

function hostAndPort(target: string): { host: string; port: number } {
  const at = target.lastIndexOf(":");
  const host = target.slice(0, Math.max(at, 0)).replace(/^\[(.*)\]$/, "$1");
  const port = Number(target.slice(at + 1));
  if (host !== "" && Number.isInteger(port) && port > 0 && port <= 0xffff) return { host, port };
  throw new MicroagentError(
    "invalid_argument",
    `Mediation target "${target}" is not acceptable: wanted host:port`,
  );
}
