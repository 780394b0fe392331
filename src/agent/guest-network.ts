/** The guest's one interface; what goes out of it comes to the host as calls. */
export interface GuestNetwork {
  /** For example `eth0`. */
  readonly interface: string;
  /** Bytes of a packet, 1280 to 65535. */
  readonly mtu: number;
  readonly ipv4: GuestInterface | null;
  readonly ipv6: GuestInterface | null;
  /** At most three addresses, for resolv.conf. */
  readonly dns: readonly string[];
}

export interface GuestInterface {
  /** `address/prefix`. */
  readonly address: string;
  readonly gateway: string;
}

/** What the agent listens for inside the guest; each connection comes to the host as a call. */
export interface GuestServices {
  /** Path of the unix socket that serves secrets. */
  readonly secretsSocket: string | null;
  /** Port of 127.0.0.1 that leads to the mediation target. */
  readonly mediationPort: number | null;
}

/** The fields of a request that gives the guest its network and services. */
export function encodeGuestNetwork(
  network: GuestNetwork | null | undefined,
  services: GuestServices | null | undefined,
): Record<string, unknown> {
  const { secretsSocket = null, mediationPort = null } = services ?? {};
  const listens = secretsSocket !== null || mediationPort !== null;
  return {
    ...(network == null ? {} : { network: { ...network } }),
    ...(listens
      ? {
          services: {
            ...(secretsSocket === null ? {} : { secrets_socket: secretsSocket }),
            ...(mediationPort === null ? {} : { mediation_port: mediationPort }),
          },
        }
      : {}),
  };
}
