import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isMicroagentError } from "../../../src/base/errors.ts";
import {
  formatReference,
  isMutableReference,
  parseReference,
  resolvedReference,
} from "../../../src/image/reference.ts";

const digest = `sha256:${"0123456789abcdef".repeat(4)}`;

describe("a reference is read as", () => {
  test.each([
    ["debian", "docker.io/library/debian:latest"],
    ["debian:12", "docker.io/library/debian:12"],
    ["docker://debian:12", "docker.io/library/debian:12"],
    ["library/debian", "docker.io/library/debian:latest"],
    ["ada/app", "docker.io/ada/app:latest"],
    ["docker.io/debian", "docker.io/library/debian:latest"],
    ["index.docker.io/ada/app:1", "docker.io/ada/app:1"],
    ["GHCR.io/ada/app", "ghcr.io/ada/app:latest"],
    ["localhost/app", "localhost/app:latest"],
    ["localhost:5000/app:1", "localhost:5000/app:1"],
    ["127.0.0.1:5000/a/b/c:1.2-rc_3", "127.0.0.1:5000/a/b/c:1.2-rc_3"],
    ["[::1]:5000/app", "[::1]:5000/app:latest"],
    [`debian@${digest}`, `docker.io/library/debian@${digest}`],
    [`quay.io/a/b:1@${digest}`, `quay.io/a/b:1@${digest}`],
    ["a__b/c--d.e", "docker.io/a__b/c--d.e:latest"],
    ["oci:dir", "oci:dir"],
    ["oci:/a/b:1", "oci:/a/b:1"],
    ["oci:/a/b:docker.io/library/x:1", "oci:/a/b:docker.io/library/x:1"],
    [`oci:/a/b@${digest}`, `oci:/a/b@${digest}`],
    ["oci-archive:x.tar:1", "oci-archive:x.tar:1"],
    [`oci-archive:x.tar:1@${digest}`, `oci-archive:x.tar:1@${digest}`],
    [`mmdebstrap:bookworm@${digest}`, `mmdebstrap:bookworm?variant=minbase@${digest}`],
    [`local/base@${digest}`, `local/base:latest@${digest}`],
    ["docker-archive:x.tar:ada/app:1", "docker-archive:x.tar:ada/app:1"],
    ["mmdebstrap:bookworm", "mmdebstrap:bookworm?variant=minbase"],
    [
      "mmdebstrap:trixie?variant=apt&include=make,gcc&include=gcc",
      "mmdebstrap:trixie?include=gcc,make&variant=apt",
    ],
    [
      "mmdebstrap:bookworm?components=main,contrib",
      "mmdebstrap:bookworm?variant=minbase&components=main,contrib",
    ],
    ["local/base", "local/base:latest"],
    ["local/team/base:2", "local/team/base:2"],
    [digest, digest],
  ])("%s", (text, canonical) => {
    const reference = parseReference(text);
    expect(formatReference(reference)).toBe(canonical);
    expect(parseReference(canonical)).toEqual(reference);
  });
});

describe("a reference is refused", () => {
  test.each([
    ["", 1, "empty"],
    ["Debian", 1, "lower case"],
    ["docker.io/library/Debian", 19, "lower case"],
    ["Ada/app", 1, "lower case"],
    ["debian:", 8, "tag is missing"],
    ["debian:a b", 9, "printable"],
    ["debian:a/b", 1, "host name"],
    ["x/debian:a!b", 11, "tag"],
    ["debian:-a", 8, "tag"],
    [`debian:${"a".repeat(129)}`, 8, "tag"],
    ["debian@sha256:12", 8, "64"],
    ["debian@sha512:12", 8, "sha256"],
    ["a//b", 3, "between slashes"],
    ["a/", 3, "missing"],
    ["http://debian", 1, 'transport "http"'],
    ["docker:///x", 10, "between slashes"],
    ["-x.y/z", 1, "host name"],
    ["localhost:99999/x", 11, "port 99999 is not a TCP port: expected 1 to 65535"],
    ["docker://r.test:65536/x", 17, "expected 1 to 65535"],
    ["[::1]:0/x", 7, "port 0 is not"],
    ["300.1.1.1/x", 1, "not a host name or an IP address"],
    ["[1:2]/x", 1, "not a host name or an IP address"],
    ["déjà", 2, "printable"],
    ["oci:", 5, "path is missing"],
    ["oci:/a:", 8, "tag is missing"],
    ["oci:/a@sha256:zz", 8, "64"],
    ["docker-archive:", 16, "path is missing"],
    ["mmdebstrap:", 12, "suite is missing"],
    ["mmdebstrap:Book worm", 16, "printable"],
    ["mmdebstrap:../x", 12, "suite"],
    ["mmdebstrap:bookworm?", 21, "parameter is missing"],
    ["mmdebstrap:bookworm?x=1", 21, '"x"'],
    ["mmdebstrap:bookworm?include=", 29, "needs a value"],
    ["mmdebstrap:bookworm?include=gcc,--help", 33, "package"],
    ["mmdebstrap:bookworm?variant=tiny", 29, "variant"],
  ])("%s", (text, position, reason) => {
    let thrown: unknown;
    try {
      parseReference(text);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({
      code: "image_reference_invalid",
      message: expect.stringContaining(reason),
      details: { position },
      hint: expect.any(String),
    });
  });
});

test("a name that only had to be lower case is given whole", () => {
  const lower = "docker://Ada/App:V1";
  expect(() => parseReference(lower)).toThrow(
    expect.objectContaining({ hint: "Try: docker://ada/app:V1" }),
  );
});

test("any text is read or refused, never more than once", () => {
  const alphabet = fc.constantFrom(
    ..."abzAZ09/:@.-_?=&,[] é",
    "sha256:",
    "oci:",
    "docker://",
    digest,
  );
  fc.assert(
    fc.property(fc.array(alphabet, { maxLength: 14 }), (parts) => {
      const text = parts.join("");
      try {
        const reference = parseReference(text);
        expect(parseReference(formatReference(reference))).toEqual(reference);
      } catch (error) {
        if (!isMicroagentError(error) || error.code !== "image_reference_invalid") throw error;
      }
    }),
    { numRuns: 5_000 },
  );
});

test("a resolved reference names the content and can be read again", () => {
  for (const [text, wanted] of [
    ["debian:12", "docker.io/library/debian@"],
    ["oci:/a/b:1", "oci:/a/b@"],
    ["docker-archive:/a:x:1", "docker-archive:/a:x:1@"],
    ["mmdebstrap:sid", "mmdebstrap:sid?variant=minbase@"],
    ["local/base:1", ""],
  ] as const) {
    const resolved = resolvedReference(parseReference(text), digest);
    expect(resolved).toBe(`${wanted}${digest}`);
    expect(formatReference(parseReference(resolved))).toBe(resolved);
    expect(isMutableReference(parseReference(resolved))).toBe(false);
  }
  expect(isMutableReference(parseReference("mmdebstrap:sid"))).toBe(true);
  expect(isMutableReference(parseReference("debian:12"))).toBe(true);
  expect(isMutableReference(parseReference("oci:/a"))).toBe(false);
});
