import type { Duplex } from "node:stream";
import { createServer, type SecureContext, type Server, type TLSSocket } from "node:tls";
import { asMicroagentError, isMicroagentError, MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Op } from "../../base/op.ts";
import { listsName } from "../host-rule.ts";
import type { InterceptedFlow, Interceptor } from "../interceptor.ts";
import { WorkspaceAuthority } from "../tls/authority.ts";
import { hostTrust, type Trust } from "../tls/roots.ts";
import { CredentialSource } from "./acquire.ts";
import { ClientCertificate } from "./client-certificate.ts";
import type { Credential } from "./credential.ts";
import type { Destination, HeldGuard, Report } from "./destination.ts";
import { type SwapDomains, withDomains } from "./domains.ts";
import { forward } from "./forward.ts";
import { serveGuest } from "./guest-connection.ts";
import { authorityOf } from "./prepare.ts";
import { EchoGuard } from "./redactor.ts";
import { Remembered } from "./remembered.ts";
import { eventOf, reportTo } from "./report.ts";
import type { SwapRule } from "./rule.ts";
import { tokenEndpoint } from "./token-endpoint.ts";
import { upgrade } from "./upgrade.ts";
import { Upstream } from "./upstream.ts";

export interface InterceptorOptions {
  readonly swaps: readonly SwapRule[];
  /** Fails with an error whose message holds nothing of the value. */
  readonly resolveSecret: (reference: string) => Promise<Uint8Array>;
  /** Certificates in PEM to trust beside the system's. */
  readonly extraRootsPem: readonly string[];
}

interface Swap extends SwapDomains {
  readonly source: CredentialSource;
  /** Null: its servers are shown none. */
  readonly certificate: ClientCertificate | null;
}

/** An `Interceptor` and what a snapshot of its guest must remember of it. */
export interface SwapInterceptor extends Interceptor {
  /** SHA-256 of the authority's certificate: a guest with another one's must be given the new one. */
  readonly caFingerprint: string;
}

/**
 * The credential swap of one workspace: its authority is made here, the leaves of all hosts that are
 * named in full before this resolves. Client certificates are read, which fails as their references do and with
 * `secret_unusable`; other credentials are not asked for yet. Fails with `invalid_argument` for the rest.
 */
export async function createInterceptor(
  op: Op,
  options: InterceptorOptions,
): Promise<SwapInterceptor> {
  const trust = await hostTrust(op, options.extraRootsPem);
  const sources = { resolveSecret: options.resolveSecret, endpoint: tokenEndpoint(trust) };
  const remembered = new Remembered(op.clock);
  const swaps = withDomains(options.swaps).map(
    (swap): Swap => ({
      ...swap,
      source: new CredentialSource(swap.rule, sources, (credential) => remembered.hold(credential)),
      certificate:
        swap.rule.clientCertificate === undefined
          ? null
          : new ClientCertificate(
              swap.rule,
              swap.rule.clientCertificate,
              options.resolveSecret,
              trust,
            ),
    }),
  );
  for (const { certificate } of swaps) await certificate?.context(op);
  const names = swaps.flatMap(({ domains }) => domains.map(({ name }) => name ?? ""));
  const authority = new WorkspaceAuthority([...new Set(names)], op.clock);
  for (const { domains } of swaps) {
    for (const { name, subdomains } of domains) {
      if (!subdomains && name !== null) authority.contextFor(name);
    }
  }
  return new TlsInterceptor(swaps, authority, trust, remembered);
}

class TlsInterceptor implements SwapInterceptor {
  readonly caCertificatePem: string;
  readonly caFingerprint: string;
  readonly hosts: readonly string[];
  readonly #swaps: readonly Swap[];
  readonly #authority: WorkspaceAuthority;
  readonly #trust: Trust;
  readonly #remembered: Remembered;

  constructor(
    swaps: readonly Swap[],
    authority: WorkspaceAuthority,
    trust: Trust,
    remembered: Remembered,
  ) {
    this.caCertificatePem = authority.certificatePem;
    this.caFingerprint = authority.fingerprint;
    this.hosts = swaps.flatMap(({ domains }) =>
      domains.map(({ name, subdomains, port }) => `${subdomains ? "." : ""}${name}:${port}`),
    );
    this.#swaps = swaps;
    this.#authority = authority;
    this.#trust = trust;
    this.#remembered = remembered;
  }

  covers(name: string, port: number): boolean {
    return this.#swapFor(name, port) !== null;
  }

  async intercept(op: Op, flow: InterceptedFlow): Promise<void> {
    const swap = this.#swapFor(flow.name, flow.port);
    let upstream: Upstream | null = null;
    try {
      if (swap === null) {
        throw new MicroagentError("internal", `Host "${flow.name}" has no credential to swap`);
      }
      const socket = await this.#handshake(op, flow);
      if (socket === null) return;
      upstream = await this.#serve(op, flow, swap, socket);
    } finally {
      upstream?.close();
      flow.client.destroy();
    }
  }

  /** The guest's TLS, ended here; null when there is none to end. */
  async #handshake(op: Op, flow: InterceptedFlow): Promise<TLSSocket | null> {
    const context = this.#authority.contextFor(flow.name);
    const server = createServer({
      ALPNProtocols: ["h2", "http/1.1", "http/1.0"],
      handshakeTimeout: limits.swap.handshakeMs,
      SNICallback: (name, done) => {
        const same = name.toLowerCase().replace(/\.$/, "") === flow.name;
        done(same ? null : new MicroagentError("protocol_violation", "Another name"), context);
      },
    });
    try {
      const socket = await op.race(secured(server, flow.client));
      socket.on("error", () => {});
      return socket;
    } catch (error) {
      op.check();
      flow.audit(eventOf(flow, "egress_mitm_handshake_error", reasonOf(error)));
      return null;
    }
  }

  async #serve(op: Op, flow: InterceptedFlow, swap: Swap, socket: TLSSocket): Promise<Upstream> {
    const { name, port, dial } = flow;
    const report = reportTo(flow, swap.rule);
    const upstream = new Upstream(op, {
      name,
      authority: authorityOf(name, port),
      dial,
      context: (step) => this.#contextFor(step, name, swap, report),
      prefer: socket.alpnProtocol === "h2" ? "h2" : "h1",
      onFailure: (reason) => flow.audit(eventOf(flow, "egress_mitm_upstream_error", reason)),
    });
    const destination: Destination = {
      name,
      port,
      rule: swap.rule,
      source: swap.source,
      upstream,
      guard: (credential) => this.#guard(flow, credential),
      report,
    };
    const over = new Promise<void>((resolve) => {
      socket.once("close", resolve);
      // Of HTTP/2 that is the end of all: the guest can acknowledge nothing any more.
      if (socket.alpnProtocol === "h2") flow.client.once("end", resolve);
    });
    try {
      serveGuest(op, socket, {
        exchange: (request, answer) => forward(op, destination, request, answer),
        upgrade: (message, other, head) => upgrade(op, destination, message, other, head),
        refused: report.refused,
      });
      await op.race(over);
    } catch (error) {
      upstream.close();
      throw error;
    } finally {
      socket.destroy();
    }
    return upstream;
  }

  async #contextFor(op: Op, name: string, swap: Swap, report: Report): Promise<SecureContext> {
    if (swap.certificate === null) return this.#trust();
    try {
      return await swap.certificate.context(op);
    } catch (error) {
      op.check();
      const { code } = asMicroagentError(error);
      report.swapFailed(asMicroagentError(error));
      throw new MicroagentError(
        code,
        `The client certificate for "${name}" could not be had on the host (${code})`,
        { details: { audited: true } },
      );
    }
  }

  #guard(flow: InterceptedFlow, credential: Credential): HeldGuard {
    let told = false;
    const onEcho = () => {
      if (told) return;
      told = true;
      flow.audit({
        ...eventOf(flow, "egress_swap_error", "credential-echo: redacted"),
        signal: "credential-echo",
      });
    };
    const remembered = this.#remembered;
    const release = remembered.hold(credential);
    return { guard: new EchoGuard(() => remembered.automaton(), onEcho), release };
  }

  /** The rule that names the host most closely. */
  #swapFor(name: string, port: number): Swap | null {
    let best: Swap | null = null;
    let closeness = -1;
    for (const swap of this.#swaps) {
      for (const domain of swap.domains) {
        if (!listsName([domain], name, port)) continue;
        const own = (domain.subdomains ? 0 : 1000) + (domain.name?.length ?? 0);
        if (own > closeness) [best, closeness] = [swap, own];
      }
    }
    return best;
  }
}

/** The server has no certificate of its own: a hello without a name, or with another one, fails. */
function secured(server: Server, client: Duplex): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    server.once("secureConnection", resolve);
    server.once("tlsClientError", reject);
    const closed = () => {
      const error = new MicroagentError("channel_closed", "The guest closed the connection");
      reject(error);
    };
    client.once("close", closed);
    // An alert that came with the end is told first.
    client.once("end", () => setImmediate(() => setImmediate(closed)));
    server.emit("connection", client);
  });
}

function reasonOf(error: unknown): string {
  if (isMicroagentError(error)) return "the guest closed the connection";
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return code ?? "unknown reason";
}
