import { describe, expect, test } from "vitest";
import { parseDiskFlag } from "../../../src/spec/flags/disk-flag.ts";
import { parsePublishFlag } from "../../../src/spec/flags/publish-flag.ts";
import { parseVolumeFlag } from "../../../src/spec/flags/volume-flag.ts";
import type { Flags } from "../../../src/spec/flags.ts";
import { flagName } from "../../../src/spec/flags.ts";
import { mergeSpec } from "../../../src/spec/merge.ts";
import { refused } from "./spec-texts.ts";

describe("bad flag values name the flag, the value and what was wanted", () => {
  test.each<[Flags, string]>([
    [{ name: "a/b" }, 'Flag --name is "a/b": wanted a name of letters'],
    [{ image: "a b" }, 'Flag --image is "a b", which holds a blank: wanted an image'],
    [{ profile: "smol" }, 'Flag --profile is "smol": wanted "tiny", "small", "medium" or "large"'],
    [{ memory: "512M" }, 'Flag --memory is "512M": wanted a whole number of MiB from 64'],
    [{ memory: 1 }, 'Flag --memory is "1": wanted a whole number of MiB from 64'],
    [{ cpus: "0" }, 'Flag --cpus is "0": wanted a whole number from 1'],
    [{ cpus: "1.5" }, 'Flag --cpus is "1.5": wanted a whole number from 1'],
    [{ sizeMib: "-1" }, 'Flag --size-mib is "-1": wanted a whole number of MiB'],
    [{ exec: "" }, "Flag --exec is an empty text: wanted a shell command"],
    [{ setup: [" "] }, 'Flag --setup is " ", which is blank: wanted a shell command'],
    [{ shell: "sh" }, 'Flag --shell is "sh", which is not absolute'],
    [{ hostname: "a.b" }, 'Flag --hostname is "a.b": wanted at most 63 letters'],
    [{ env: ["A"] }, 'Flag --env has no "=": wanted KEY=VALUE'],
    [{ env: ["A-B=x"] }, 'Flag --env is "A-B": wanted a name of letters, digits'],
    [{ env: ["=x"] }, "Flag --env is an empty text: wanted a name"],
    [{ restart: "sometimes" }, 'Flag --restart is "sometimes": wanted "never"'],
    [
      { network: "none" },
      'Flag --network is "none": wanted "user", "nat", "isolated" or "bridged"',
    ],
    [{ publish: ["80"] }, 'Flag --publish is "80": wanted [host:]hostPort:guestPort[/tcp]'],
    [{ publish: ["80:0"] }, 'Flag --publish is "80:0", which has a guest port outside 1 to 65535'],
    [{ publish: ["65536:1"] }, "which has a host port outside 0 to 65535"],
    [{ egressMaxTotalBytes: "0" }, 'Flag --egress-max-total-bytes is "0": wanted bytes such as'],
    [{ egressMaxBytesPerSec: "1MB" }, 'Flag --egress-max-bytes-per-sec is "1MB": wanted bytes'],
    [{ egressMaxConns: "0" }, 'Flag --egress-max-conns is "0": wanted a whole number from 1'],
    [{ egressCa: [""] }, "Flag --egress-ca is an empty text: wanted the path of a host file"],
    [{ egressHost: ["127.0.0.1"] }, 'Flag --egress-host is "127.0.0.1", which has no "="'],
    [{ egressHost: ["=127.0.0.1"] }, 'Flag --egress-host is "=127.0.0.1", which has no host name'],
    [{ egressHost: ["::1=127.0.0.1"] }, "which has no host name"],
    [{ credSwap: ["nobody"] }, 'Flag --cred-swap names no known provider: wanted "openai",'],
    [{ egressHost: ["a=b:1"] }, 'Flag --egress-host is "a=b:1", which has no IP address'],
    [{ egressHost: ["a=127.0.0.1:0"] }, "which has a port outside 1 to 65535"],
    [{ publish: ["1:80/udp"] }, "which names a protocol other than tcp"],
    [{ publish: ["example.com:1:80"] }, "which has a host that is no IP address"],
    [{ disk: ["a"] }, 'Flag --disk is "a": wanted name=path:/mountpoint:ro|rw'],
    [{ disk: ["a=b:/m:rx"] }, "which has a mode other than ro and rw"],
    [{ bundle: ["a b=b:/m:rw"] }, 'Flag --bundle is "a b=b:/m:rw", which has no safe name'],
    [{ disk: ["a=b:/:rw"] }, "which has a mountpoint that is the root directory"],
    [{ volume: ["./dir:/m"] }, 'Flag --volume is "./dir:/m", which names a host directory'],
    [{ volume: ["/dir:/m:ro"] }, "which names a host directory"],
    [{ volume: ["My_Vol:/m"] }, "which has a volume name with other characters"],
    [{ volume: ["v"] }, 'Flag --volume is "v": wanted SOURCE:/mountpoint'],
    [{ volume: ["v:/m:rx"] }, "which has a mode other than ro and rw"],
    [{ output: ["/a"] }, 'Flag --output is "/a": wanted name=/guest/path'],
    [{ output: ["a=b"] }, "which has a path that is not absolute"],
    [{ output: ["a/b=/b"] }, "which has no safe name"],
    [
      { egress: "mitm" },
      'Flag --egress is "mitm", which is a word of another version: wanted "guarded"',
    ],
    [{ egressAllow: ["*.a.example"] }, "which has a wildcard: wanted a host"],
    [{ mediation: "a:1" }, 'Flag --mediation is "a:1": wanted port=host:port'],
    [{ mediation: "1=host" }, 'Flag --mediation is "1=host": wanted port=host:port'],
    [{ timeoutSeconds: "0" }, 'Flag --timeout is "0": wanted seconds'],
    [{ timeoutSeconds: "5m" }, 'Flag --timeout is "5m": wanted seconds'],
    [{ timeoutSeconds: Number.NaN }, 'Flag --timeout is "NaN": wanted seconds'],
    [{ pullTimeoutSeconds: "x" }, "Flag --pull-timeout"],
    [{ bootTimeoutSeconds: "x" }, "Flag --boot-timeout"],
    [{ arch: "riscv64" }, 'Flag --arch is "riscv64": wanted "x86_64"'],
    [{ accel: "kvmm" }, 'Flag --accel is "kvmm": wanted "auto"'],
    [{ pull: "yes" }, 'Flag --pull is "yes": wanted "missing"'],
    [{ outputDir: "" }, "Flag --output-dir is an empty text"],
  ])("%j", (flags, message) => {
    const error = refused(() => mergeSpec({ flags, file: null, surface: "run" }));
    expect(error.code).toBe("invalid_argument");
    expect(error.message).toContain(message);
    expect(error.message).not.toMatch(/\.$/);
  });
});

test.each([
  [{ timeoutSeconds: "5m" }, "In seconds: --timeout 300"],
  [{ timeoutSeconds: "90s" }, "In seconds: --timeout 90"],
  [{ bootTimeoutSeconds: "2h" }, "In seconds: --boot-timeout 7200"],
  [{ memory: "2g" }, "In MiB: --memory 2048"],
  [{ memory: "512MiB" }, "In MiB: --memory 512"],
  [{ sizeMib: "1 TB" }, "In MiB: --size-mib 1048576"],
  [{ timeoutSeconds: "soon" }, undefined],
  [{ memory: "lots" }, undefined],
])("the number that %j may have meant is in the hint", (flags, hint) => {
  expect(refused(() => mergeSpec({ flags, file: null, surface: "run" })).hint).toBe(hint);
});

test.each([
  ["8080:80", { host: "127.0.0.1", hostPort: 8080, guestPort: 80 }],
  ["0.0.0.0:8080:80/tcp", { host: "0.0.0.0", hostPort: 8080, guestPort: 80 }],
  ["[::1]:1:65535", { host: "::1", hostPort: 1, guestPort: 65535 }],
  ["0:80", { host: "127.0.0.1", hostPort: 0, guestPort: 80 }],
  ["localhost:1:2", { host: "localhost", hostPort: 1, guestPort: 2 }],
])("--publish %s", (text, forward) => {
  expect(parsePublishFlag(text)).toEqual({ protocol: "tcp", ...forward });
});

test.each([
  ["data:/m", { kind: "volume", source: "data", mode: "rw" }],
  ["data:/m:ro", { kind: "volume", source: "data", mode: "ro" }],
  ["./a.tar:/m", { kind: "bundle", source: "./a.tar", mode: "rw" }],
  ["a.tar.gz:/m", { kind: "bundle", source: "a.tar.gz", mode: "rw" }],
  ["/x/a.tgz:/m", { kind: "bundle", source: "/x/a.tgz", mode: "rw" }],
  ["a:b.ext4:/m:rw", { kind: "disk", source: "a:b.ext4", mode: "rw" }],
  ["disk.img:/m", { kind: "disk", source: "disk.img", mode: "rw" }],
])("--volume %s", (text, mount) => {
  expect(parseVolumeFlag(text)).toEqual({ mountpoint: "/m", ...mount });
});

test("the path of --disk may hold colons and equal signs", () => {
  expect(parseDiskFlag("--disk", "n=/a:b=c:/d.ext4:/m:ro")).toEqual({
    name: "n",
    path: "/a:b=c:/d.ext4",
    mountpoint: "/m",
    mode: "ro",
  });
});

test("flags are named as they are typed", () => {
  expect((["sizeMib", "egressAllow", "timeoutSeconds", "env"] as const).map(flagName)).toEqual([
    "--size-mib",
    "--egress-allow",
    "--timeout",
    "--env",
  ]);
});
