import { describe, expect, test } from "vitest";
import { Reach } from "../../../../src/image/registry/reach.ts";

const refusal = (reach: Reach, url: string) => reach.refusal(new URL(url));

describe("a registry elsewhere", () => {
  const reach = new Reach("registry.example", ["registry.lan:5000"]);

  test.each(["https://auth.docker.io/token", "https://cdn.example:8443/x?y", "https://10.1.2.3/x"])(
    "may send its client to %s",
    (url) => expect(refusal(reach, url)).toBeNull(),
  );

  test.each([
    ["file:///etc/passwd", /not HTTP/],
    ["ftp://cdn.example/x", /not HTTP/],
    ["data:,x", /not HTTP/],
    ["https://ada:pw@cdn.example/x", /credentials/],
    ["http://cdn.example/x", /no TLS/],
    ["http://registry.lan:5000/x", /no TLS/],
    ["http://169.254.169.254/latest/meta-data", /this host/],
    ["https://169.254.169.254/latest", /this host/],
    ["https://127.0.0.1:2375/containers/json", /this host/],
    ["https://2130706433/", /this host/],
    ["https://0x7f.1/", /this host/],
    ["https://0.0.0.0/", /this host/],
    ["https://localhost/", /this host/],
    ["https://LOCALHOST./", /this host/],
    ["https://a.localhost/", /this host/],
    ["https://[::1]/", /this host/],
    ["https://[::ffff:127.0.0.1]/", /this host/],
    ["https://[::ffff:a9fe:a9fe]/", /this host/],
    ["https://[64:ff9b::169.254.169.254]/", /this host/],
    ["https://[fe80::1]/", /this host/],
    ["https://[fd00:ec2::254]/", /this host/],
    ["https://168.63.129.16/", /this host/],
  ])("may not send it to %s", (url, why) => expect(refusal(reach, url)).toMatch(why));
});

describe("a registry without TLS that the user lists", () => {
  const reach = new Reach("registry.lan:5000", ["registry.lan:5000", "auth.lan"]);

  test.each(["http://registry.lan:5000/x", "http://auth.lan/token", "https://auth.example/token"])(
    "may send its client to %s",
    (url) => expect(refusal(reach, url)).toBeNull(),
  );

  test.each(["http://evil.example/token", "http://127.0.0.1:2375/", "http://169.254.169.254/"])(
    "may not send it to %s",
    (url) => expect(refusal(reach, url)).not.toBeNull(),
  );
});

describe("a registry of this host", () => {
  const reach = new Reach("localhost:5000", []);

  test.each([
    "http://127.0.0.1:5001/token",
    "https://localhost/token",
    "https://auth.example/token",
  ])("may send its client to %s", (url) => expect(refusal(reach, url)).toBeNull());

  test.each(["http://evil.example/token", "http://169.254.169.254/token"])(
    "may not send it to %s",
    (url) => expect(refusal(reach, url)).not.toBeNull(),
  );
});
