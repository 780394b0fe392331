import {
  type Agreement,
  type Claim,
  checkFirstBytes,
  checkMalformed,
  checkRequest,
  claimOfTunnel,
} from "./agreement.ts";
import { unreadable } from "./authority.ts";
import { readFirstBytes } from "./first-bytes.ts";
import { HelloWatch } from "./hello-watch.ts";
import type { HostLists } from "./host-lists.ts";
import { type Follower, HttpGate } from "./http-gate.ts";

/** Who hears of decisions: of each request, and of the one that ends the connection. */
export interface Decisions {
  allowed(agreement: Agreement): void;
  denied(agreement: Agreement): void;
}

export interface GateOpening {
  readonly claim: Claim;
  readonly lists: HostLists;
  readonly decisions: Decisions;
  /** The server's bytes have passed before any of the guest's. */
  readonly serverSpoke: boolean;
  /** A line without an end has been waited for: it passes as it comes, and is still read as what it turns out to be. */
  readonly overdue: boolean;
}

/**
 * Judges a connection of which a name is demanded, from its first byte to its last: it is TLS that names the server, HTTP/1 that
 * names it in every request, or a protocol whose port was listed.
 */
export class ConnectionGate implements Follower {
  readonly #opening: GateOpening;
  /** Null: nothing is known yet; "all": whatever comes may leave. */
  #follower: Follower | null | "all" = null;
  #held: Buffer = Buffer.alloc(0);
  /** How many of the held bytes have left already. */
  #released = 0;
  #serverSpoke: boolean;

  constructor(opening: GateOpening) {
    this.#opening = opening;
    this.#serverSpoke = opening.serverSpoke;
    if (opening.claim.mustName === null) this.#follower = "all";
  }

  get holding(): boolean {
    if (this.#follower === "all") return false;
    return this.#follower?.holding ?? this.#held.length > this.#released;
  }

  answer(piece: Uint8Array): void {
    if (this.#follower === "all") return;
    if (this.#follower === null) this.#serverSpoke = true;
    else this.#follower.answer(piece);
  }

  take(piece: Uint8Array): Uint8Array | null {
    if (this.#follower === "all") return piece;
    if (this.#follower !== null) return this.#follower.take(piece);
    const bytes = Buffer.concat([this.#held, piece]);
    this.#held = bytes;
    const released = this.#released;
    const { claim, lists, decisions, overdue } = this.#opening;
    const first = readFirstBytes(bytes, true);
    if (first.kind === "incomplete") {
      if (!first.text || !claim.anyProtocol || !overdue) return nothing;
      this.#released = bytes.length;
      return bytes.subarray(released);
    }
    if (first.kind === "http") return this.#followed(this.#httpGate(), bytes, released);
    const agreement = checkFirstBytes(first, claim, lists);
    if (!agreement.agreed) {
      decisions.denied(agreement);
      return null;
    }
    decisions.allowed(agreement);
    if (first.kind === "tls")
      return this.#followed(this.#helloWatch(bytes, first.serverName), bytes, released);
    return this.#followed("all", bytes, released);
  }

  /** Hands over to who follows the rest. */
  #followed(follower: Follower | "all", bytes: Buffer, released: number): Uint8Array | null {
    this.#follower = follower;
    this.#held = nothing;
    const free = follower === "all" ? bytes : follower.take(bytes);
    return free === null ? null : free.subarray(released);
  }

  #httpGate(): HttpGate {
    const { claim, lists, decisions } = this.#opening;
    const judge = {
      request: (head: Parameters<typeof checkRequest>[0]) => {
        const agreement = checkRequest(head, claim, lists);
        if (agreement.agreed) decisions.allowed(agreement);
        else decisions.denied(agreement);
        return agreement.agreed;
      },
      refused: (why: ReturnType<typeof unreadable>) =>
        decisions.denied(checkMalformed(why, "HTTP", claim)),
      tunnel: (to: Parameters<typeof claimOfTunnel>[0]) =>
        new ConnectionGate({
          claim: claimOfTunnel(to, claim, lists),
          lists,
          decisions,
          serverSpoke: false,
          overdue: true,
        }),
    };
    return new HttpGate(judge, this.#serverSpoke);
  }

  #helloWatch(bytes: Buffer, serverName: string | null): HelloWatch {
    const { claim, lists, decisions } = this.#opening;
    return new HelloWatch(bytes, serverName, (why) => {
      const reading =
        why !== null && typeof why === "object"
          ? why
          : unreadable("the second ClientHello is another one");
      const first = { ...reading, protocol: "TLS" as const };
      const named =
        typeof why === "string"
          ? { kind: "tls" as const, serverName: why, encrypted: false }
          : first;
      const agreement = checkFirstBytes(named, claim, lists);
      decisions.denied(agreement.agreed ? checkFirstBytes(first, claim, lists) : agreement);
    });
  }
}

const nothing = Buffer.alloc(0);
