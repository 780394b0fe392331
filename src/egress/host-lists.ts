import type { Address } from "./address.ts";
import {
  coversPort,
  type HostRule,
  listsAddress,
  listsName,
  namesHost,
  parseHostRule,
} from "./host-rule.ts";
import type { EgressPolicy } from "./policy.ts";

/** The lists of a policy, and the hosts whose credentials are swapped, as one set of answers. */
export class HostLists {
  readonly #policy: EgressPolicy;
  readonly #listed: readonly HostRule[];
  readonly #swapHosts: readonly HostRule[];

  constructor(policy: EgressPolicy, swapHosts: readonly string[] = []) {
    this.#policy = policy;
    this.#listed = [...policy.allow, ...policy.passthrough];
    this.#swapHosts = swapHosts.map(parseHostRule).filter((rule) => typeof rule !== "string");
  }

  /** A list names it, or its credentials are swapped; a null port asks for any. */
  name(name: string, port: number | null): boolean {
    return listsName(this.#swapHosts, name, port) || listsName(this.#listed, name, port);
  }

  /** Written by the user: only that can open the way to an inside address. */
  nameByUser(name: string, port: number): boolean {
    return listsName(this.#listed, name, port);
  }

  /** A rule of the user names the host and this port: it trusts whatever answers there. */
  namesPort(name: string, port: number): boolean {
    return this.#listed.some(
      (rule) => rule.port !== null && namesHost(rule, name) && coversPort(rule, port),
    );
  }

  /** The ports that rules give a name that is listed for some only, as they are written; empty for others. */
  portsOf(name: string): readonly string[] {
    const rules = this.#listed.filter((rule) => namesHost(rule, name));
    if (rules.some((rule) => rule.port === null)) return [];
    return rules.map(({ port, lastPort }) =>
      lastPort === null ? `${port}` : `${port}-${lastPort}`,
    );
  }

  /** Named itself, not through a suffix. */
  exactly(name: string, port: number | null): boolean {
    const exact = this.#listed.filter((rule) => !rule.subdomains);
    return listsName(exact, name, port);
  }

  address(address: Address, port: number): boolean {
    return listsAddress(this.#listed, address, port);
  }

  passthrough(name: string, port: number): boolean {
    return listsName(this.#policy.passthrough, name, port);
  }
}
