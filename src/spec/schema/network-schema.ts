import type { z } from "zod";
import { choice, list, mapping, text, whole } from "./field-notes.ts";
import {
  isCidr,
  isIpAddress,
  isIpv4Address,
  isIpv6Address,
  isListenHost,
  isRoute,
} from "./network-checks.ts";

export const networkModes = ["user", "nat", "isolated", "bridged"] as const;
export type NetworkMode = (typeof networkModes)[number];

const port = "a port from 1 to 65535";

const forwardSchema = mapping(
  { doc: "A guest port published on the host" },
  {
    protocol: choice(["tcp"], { doc: "Only tcp", defaultText: "tcp" }).optional(),
    host: text(
      {
        doc: "Host address that listens",
        wanted: 'an IP address or "localhost"',
        defaultText: "127.0.0.1",
      },
      isListenHost,
    ).optional(),
    hostPort: whole(
      { doc: "Port on the host; 0 lets the host choose one", wanted: "a port from 0 to 65535" },
      0,
      65535,
    ),
    guestPort: whole({ doc: "Port in the guest", wanted: port }, 1, 65535),
  },
);

const address = 'an IPv4 address such as "10.0.2.15"';
const cidr = 'a network such as "10.0.2.0/24"';

export const networkSchema = mapping(
  { doc: "How the guest reaches other machines" },
  {
    mode: choice(networkModes, {
      doc: 'Kind of network; "isolated" has no way out at all, "nat" is the same as "user", "bridged" cannot run yet',
      defaultText: "user",
      retired: { named: 'named networks are gone, use "bridged" or "user"' },
    }).optional(),
    forwards: list(
      {
        doc: "Guest ports published on the host",
        wanted: "a list of {host, hostPort, guestPort, protocol}",
        defaultText: "[]",
      },
      forwardSchema,
    ).optional(),
    dns: list(
      { doc: "Name servers of the guest", wanted: "a list of IP addresses", defaultText: "[]" },
      text({ doc: "Name server", wanted: "an IP address" }, isIpAddress),
    ).optional(),
    routes: list(
      { doc: "Extra routes of the guest", wanted: "a list of routes", defaultText: "[]" },
      text(
        { doc: "Route", wanted: 'a route such as "10.1.0.0/16" or "10.1.0.0/16 via 10.0.2.2"' },
        isRoute,
      ),
    ).optional(),
    ip: text({ doc: "IPv4 address of the guest", wanted: address }, isIpv4Address).optional(),
    subnet: text({ doc: "IPv4 network of the guest", wanted: cidr }, isCidr).optional(),
    gateway: text({ doc: "IPv4 gateway of the guest", wanted: address }, isIpv4Address).optional(),
    ipv6: text(
      { doc: "IPv6 address of the guest", wanted: "an IPv6 address" },
      isIpv6Address,
    ).optional(),
    ipv6Subnet: text(
      { doc: "IPv6 network of the guest", wanted: 'a network such as "fd00::/64"' },
      isCidr,
    ).optional(),
    ipv6Gateway: text(
      { doc: "IPv6 gateway of the guest", wanted: "an IPv6 address" },
      isIpv6Address,
    ).optional(),
  },
);

export type ForwardEntry = z.infer<typeof forwardSchema>;
