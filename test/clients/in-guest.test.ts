import { execFile } from "node:child_process";
import { cp, mkdir, realpath, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  goClient,
  packageManagers,
  prepareClients,
  prepareManagers,
} from "../../scripts/client-programs.mjs";
import { findProgram } from "../../scripts/host-packages.mjs";
import { ftpData } from "../fixtures/client-service-configs.ts";
import { type ClientServices, startClientServices } from "../fixtures/client-services.ts";
import { world } from "../fixtures/swap-gate.ts";
import { type ClientGuest, createClientGuest } from "../support/client-guest.ts";
import { packageRows } from "./package-rows.ts";
import { protocolRows, swapRows } from "./protocol-rows.ts";
import { type Row, webRows } from "./rows.ts";

/** Debian 13's: curl with HTTP/3, OpenSSL with ML-KEM, a redis-cli that sends no server name. */
const packages =
  "curl wget busybox aria2 python3-requests python3-httpx python3-h2 python3-aiohttp python3-websockets python3-grpcio python3-pip nodejs git openssh-client openjdk-21-jre-headless golang-go cargo skopeo postgresql-client mariadb-client redis-tools mosquitto-clients ldap-utils netcat-openbsd socat ntpsec-ntpdig openssl gnutls-bin bind9-dnsutils iputils-ping ca-certificates";
const image = `mmdebstrap:trixie?include=${packages.replaceAll(" ", ",")}`;

/** Names below `example.test`: the service that each leads to, and the port that its rule names. */
const names: Readonly<Record<string, readonly [service: string, port?: number]>> = {
  web: ["web"],
  plain: ["plain"],
  bare: ["h2c"],
  h2c: ["h2c", 8082],
  odd: ["odd"],
  pypi: ["pypi"],
  git: ["git"],
  gitd: ["gitd", 9418],
  ssh: ["ssh", 22],
  proxy: ["squid"],
  ws: ["ws"],
  wss: ["wsTls"],
  grpc: ["grpcTls"],
  grpcp: ["grpc", 50_051],
  pg: ["pg", 5432],
  sql: ["sql", 3306],
  cache: ["cache", 6379],
  cachetls: ["cacheTls", 6380],
  cachebare: ["cacheTls"],
  mq: ["mq", 1883],
  mqs: ["mqTls"],
  smtp: ["smtp", 587],
  smtps: ["smtps"],
  imap: ["imap", 143],
  imaps: ["imaps"],
  udp: ["udp", 123],
  echo: ["echo", 7001],
  packages: ["packages"],
  debian: ["packagesPlain"],
  registry: ["registry"],
  ldap: ["ldap", 389],
  ldaps: ["ldaps"],
  large: ["large"],
  largeplain: ["largePlain"],
};
const swapped = {
  swap: "web",
  swapgit: "git",
  swapgrpc: "grpcTls",
  swapws: "wsTls",
  swapodd: "oddTls",
};
const proxied = ["p1", "p2", "p3", "proxied", "other"].map((name) => `${name}.example.test`);

let services: ClientServices;
let guest: ClientGuest;
/** What the scripts find in their environment. */
let setting: string;
beforeAll(async () => {
  await prepareClients();
  await prepareManagers();
  services = await startClientServices(proxied);
  const { dir, ports } = services;
  const portOf = (service: string) => ports[service] ?? 0;
  const swaps = join(dir, "swaps.yaml");
  const domains = Object.keys(swapped).map((name) => `${name}.example.test`);
  const rule = { type: "static", domains, key_ref: "env:CLIENTS_KEY", format: "Bearer {key}" };
  await writeFile(swaps, JSON.stringify({ swaps: { clients: rule } }));
  const ca = join(dir, "world.pem");
  await writeFile(ca, world.certificatePem);
  const allow = [
    ...Object.entries(names).map(
      ([name, [, port]]) => `${name}.example.test${port === undefined ? "" : `:${port}`}`,
    ),
    "p1.example.test",
    "p2.example.test",
    "p3.example.test",
    `proxied.example.test:${portOf("ssh")}`,
    `ftp.example.test:${portOf("ftp")}`,
    `ftp.example.test:${ftpData}`,
  ];
  const places = [
    ...Object.entries(names).map(([name, [service]]) => [name, service] as const),
    ...Object.entries(swapped),
  ];
  guest = await createClientGuest(
    [
      ...["--image", image, "--memory", "2048", "--egress-swap-config", swaps, "--egress-ca", ca],
      ...allow.flatMap((entry) => ["--egress-allow", entry]),
      ...places.flatMap(([name, service]) => [
        "--egress-host",
        `${name}.example.test=127.0.0.1:${portOf(service)}`,
      ]),
      // Its data connections go to other ports.
      ...["--egress-host", "ftp.example.test=127.0.0.1"],
    ],
    { CLIENTS_KEY: "sk-real-0123456789abcdefghij" },
  );
  const files = join(dir, "clients");
  await mkdir(files);
  await cp(
    join(import.meta.dirname, "..", "fixtures", "clients", "Ask.java"),
    join(files, "Ask.java"),
  );
  await cp(goClient, join(files, "go-client"));
  await writeFile(join(files, "roots.pem"), services.roots);
  await writeFile(join(files, "key"), services.sshKey, { mode: 0o600 });
  // This host's own npm: it is a folder of scripts.
  const npm = dirname(dirname(await realpath(findProgram("npm") ?? "")));
  for (const [name, folder, entry] of [
    ["managers", packageManagers, "node_modules"],
    ["npm", npm, "."],
  ] as const) {
    await promisify(execFile)("tar", ["-cf", join(files, `${name}.tar`), "-C", folder, entry]);
  }
  await guest.put(files, "/clients");
  const unpacked = await guest.run(
    "for one in managers npm; do mkdir /$one && tar -xf /clients/$one.tar -C /$one; done",
  );
  expect(unpacked.code, unpacked.output).toBe(0);
  const ssh = `-i /clients/key -o User=${userInfo().username} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR`;
  setting = `export HOME=/root PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore SSH_WORDS="${ssh}" SSH_PORT=${portOf("ssh")}
export GIT_DIR_OF_HOST=${join(dir, "git")} PLAIN_PORT=${portOf("plain")} WEB_PORT=${portOf("web")} FTP_PORT=${portOf("ftp")}\n`;
}, 1_800_000);
afterAll(async () => {
  await guest?.[Symbol.asyncDispose]();
  await services?.[Symbol.asyncDispose]();
});

const ownRoots = ["SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"]
  .map((name) => `export ${name}=/clients/roots.pem`)
  .join("\n");

async function isAsSaid({ run, prints, refused = [], proposed }: Row, roots: string) {
  const got = await guest.run(`set -e\n${setting}${roots}\n${run}`);
  expect(got.code, got.output).toBe(0);
  if (prints !== undefined) expect(got.output).toMatch(prints);
  const unexpected = got.complaints.filter((line) => !refused.some((one) => one.test(line)));
  expect(unexpected).toEqual([]);
  for (const one of refused)
    expect(
      got.complaints.some((line) => one.test(line)),
      `${one}`,
    ).toBe(true);
  if (proposed !== undefined) expect(got.allowable).toEqual(proposed);
}

describe("a listed host", () => {
  for (const row of [...webRows, ...packageRows, ...protocolRows]) {
    test(row.what, () => isAsSaid(row, ownRoots));
  }
});

describe("a host whose credential is swapped", () => {
  for (const row of swapRows) test(row.what, () => isAsSaid(row, ""));
});
