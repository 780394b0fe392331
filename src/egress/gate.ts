import type { Clock } from "../base/op.ts";
import { type Address, addressOf, parseAddress } from "./address.ts";
import { classify } from "./address-class.ts";
import type { AuditEvent } from "./audit-event.ts";
import type { AuditLog } from "./audit-log.ts";
import type { Destination } from "./decision.ts";
import { HostLists } from "./host-lists.ts";
import { HostsFile } from "./hosts-file.ts";
import type { Interceptor } from "./interceptor.ts";
import { Ipv6Route } from "./ipv6-route.ts";
import { NameTable } from "./name-table.ts";
import { OwnAddresses } from "./own-addresses.ts";
import type { EgressMode, EgressPolicy } from "./policy.ts";
import { type NameResolver, systemResolver } from "./resolver.ts";
import { StandIns } from "./stand-ins.ts";
import { Traffic } from "./traffic.ts";
import { wireName } from "./wire-name.ts";

/** Where guests believe their resolver to be. */
export const guestResolverAddresses: readonly string[] = ["10.0.2.3", "fd6d:6167:656e:7400::3"];

export interface GateOptions {
  readonly policy: EgressPolicy;
  readonly audit: AuditLog;
  readonly interceptor: Interceptor | null;
  readonly clock: Clock;
  readonly resolver?: NameResolver | undefined;
  readonly resolverAddresses?: readonly string[] | undefined;
  /** The guest's own host name: it is asked of nobody. */
  readonly guestName?: string | undefined;
}

/** What every flow of one guest is judged by. */
export class Gate {
  readonly mode: EgressMode;
  readonly lists: HostLists;
  readonly clock: Clock;
  readonly interceptor: Interceptor | null;
  readonly resolver: NameResolver;
  readonly resolverAddresses: ReadonlySet<string>;
  readonly hosts: HostsFile;
  readonly standIns: StandIns;
  readonly ipv6: Ipv6Route;
  readonly traffic: Traffic;
  /** As names of the wire are compared; null: unknown. */
  readonly guestName: string | null;
  readonly #audit: AuditLog;
  readonly #names: NameTable;
  readonly #own: OwnAddresses;
  #flows = 0;

  constructor(options: GateOptions) {
    const { policy, clock, interceptor } = options;
    this.mode = policy.mode;
    this.clock = clock;
    this.interceptor = policy.mode === "off" ? null : interceptor;
    this.lists = new HostLists(policy, this.interceptor?.hosts);
    this.resolver = options.resolver ?? systemResolver(policy.resolvers);
    const addresses = options.resolverAddresses ?? guestResolverAddresses;
    this.resolverAddresses = new Set(addresses.map((text) => parseAddress(text)?.text ?? text));
    this.hosts = new HostsFile(clock);
    this.standIns = new StandIns(policy.hostMap);
    this.ipv6 = new Ipv6Route(clock);
    this.traffic = new Traffic(policy.caps, clock);
    this.guestName = wireName(options.guestName ?? "");
    this.#audit = options.audit;
    this.#names = new NameTable(clock);
    this.#own = new OwnAddresses(clock);
  }

  get ownAddresses(): ReadonlySet<string> {
    return this.#own.texts;
  }

  report(event: AuditEvent): void {
    this.#audit.write(event);
  }

  /** Names one flow in the audit. */
  nextFlow(): string {
    this.#flows += 1;
    return String(this.#flows);
  }

  /** Notes addresses that the guest is told for a name. */
  noteAddresses(name: string, addresses: readonly Uint8Array[], ttl: number): void {
    this.#names.add(
      name,
      addresses.map((bytes) => addressOf(bytes).text),
      ttl,
    );
  }

  destination(address: Address, port: number): Destination {
    const standIn = this.standIns.byAddress(address.text);
    return {
      address,
      port,
      kind: classify(address, this.ownAddresses),
      names: standIn === undefined ? this.#names.namesOf(address.text) : [standIn.name],
      standIn: standIn !== undefined,
    };
  }

  /** True when our resolver told the guest this address for the name. */
  gave(name: string, address: Address): boolean {
    const standIn = this.standIns.byAddress(address.text);
    return standIn === undefined ? this.#names.gave(name, address.text) : standIn.name === name;
  }

  /** All the resolver told for a name. */
  addressesOf(name: string): readonly Address[] {
    return this.#names
      .addressesOf(name)
      .map(parseAddress)
      .filter((address) => address !== null);
  }
}
