import { describe, expect, test } from "vitest";
import { parseImageConfig } from "../../../src/image/image-config.ts";

const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const rootfs = { type: "layers", diff_ids: [`sha256:${"a".repeat(64)}`] };

describe("an image configuration", () => {
  test("is read with all its fields", () => {
    const parsed = parseImageConfig(
      bytes({
        os: "linux",
        architecture: "arm64",
        config: {
          User: "app:1000",
          WorkingDir: "/srv",
          Env: ["PATH=/bin", "EMPTY="],
          Entrypoint: ["/init"],
          Cmd: ["serve"],
          StopSignal: "SIGRTMIN+3",
          Labels: { a: "b" },
          ExposedPorts: { "80/tcp": {}, "53/udp": {} },
        },
        rootfs,
      }),
      "Image",
    );
    expect(parsed.architecture).toBe("arm64");
    expect(parsed.config).toEqual({
      user: "app:1000",
      workingDir: "/srv",
      env: ["PATH=/bin", "EMPTY="],
      entrypoint: ["/init"],
      cmd: ["serve"],
      stopSignal: "SIGRTMIN+3",
      labels: { a: "b" },
      exposedPorts: ["53/udp", "80/tcp"],
    });
  });

  test.each([[{}], [{ config: null }], [{ config: { Env: null, Cmd: null } }]])(
    "may say nothing: %j",
    (extra) => {
      expect(parseImageConfig(bytes({ rootfs, ...extra }), "Image").config).toMatchObject({
        user: "",
        env: [],
        entrypoint: [],
        cmd: [],
        stopSignal: "",
      });
    },
  );

  test("may hold the shell form of old builders", () => {
    const { config } = parseImageConfig(bytes({ config: { Cmd: "echo hi" }, rootfs }), "Image");
    expect(config.cmd).toEqual(["/bin/sh", "-c", "echo hi"]);
  });

  test.each([
    ["no JSON", new TextEncoder().encode("{"), "not JSON"],
    ["no layers", bytes({}), "rootfs"],
    ["a wrong type", bytes({ config: { Env: "x" }, rootfs }), "config.Env"],
    [
      "a diff id that is a path",
      bytes({ rootfs: { type: "layers", diff_ids: ["../x"] } }),
      "diff_ids",
    ],
    ["an odd signal", bytes({ config: { StopSignal: "$(x)" }, rootfs }), "stop signal"],
  ])("with %s is refused", (_name, text, reason) => {
    expect(() => parseImageConfig(text, "Image")).toThrowError(
      expect.objectContaining({ code: "image_corrupt", message: expect.stringContaining(reason) }),
    );
  });
});
