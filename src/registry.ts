import { fileURLToPath } from "node:url";
import { createQemuSupervisor } from "../supervisors/qemu/supervisor.ts";
import { MicroagentError } from "./base/errors.ts";
import { limits } from "./base/limits.ts";
import { hostEnvironment } from "./host/environment.ts";
import { isThere } from "./host/is-there.ts";
import type { StateLayout } from "./host/state-layout.ts";
import { ensureBaseImage } from "./image/base-image.ts";
import { resolveImage } from "./image/resolve.ts";
import { openStore } from "./image/store.ts";
import { ensureInitramfs } from "./kernel/initramfs/ensure.ts";
import { openKernels } from "./kernel/kernels.ts";
import type { Supervisor } from "./supervisor/port.ts";
import { selectSupervisor } from "./supervisor/select.ts";
import type { Engine } from "./workspace/engine.ts";
import { type HolderProgram, launchDetached } from "./workspace/held/launch-detached.ts";

/** The backends of this package in the order in which they are tried; the only file that names them. */
export function defaultSupervisors(): readonly Supervisor[] {
  return [createQemuSupervisor() as Supervisor];
}

/** The parts of the product put together over one state directory. */
export function createEngine(
  layout: StateLayout,
  supervisors: readonly Supervisor[] = defaultSupervisors(),
): Engine {
  const store = openStore(layout);
  const kernels = openKernels(layout);
  return {
    layout,
    templateBytesMax: limits.template.storeBytesMax,
    launch: async (logPath) => await launchDetached(await holderProgram(), logPath),
    images: {
      resolve: (op, request) =>
        resolveImage(op, store, request.image, {
          arch: request.arch ?? hostEnvironment.arch,
          pull: request.pull,
          insecureRegistries: request.insecureRegistries,
        }),
      base: (op, image) => ensureBaseImage(op, store, image),
      pin: (op, image) =>
        store.pin(op, [image.digest, ...image.layers.map((layer) => layer.digest)]),
    },
    kernels: {
      resolve: (op, selector, arch) => kernels.resolve(op, selector, arch ?? hostEnvironment.arch),
      async installed(op) {
        const found = (await kernels.list(op)).find((each) => each.default);
        return found === undefined ? null : await kernels.resolve(op, found.name);
      },
      initramfs: async (op, kernel) =>
        await ensureInitramfs(
          op,
          layout,
          kernel,
          await guestProgram("agent", kernel.image.arch),
          await guestProgram("network", kernel.image.arch),
        ),
    },
    supervisors: {
      async select(op, request) {
        const { supervisor, probe } = await selectSupervisor(op, supervisors, {
          accel: request.accel,
          kernel: request.kernel?.image ?? null,
          initramfsPath: request.initramfsPath,
          cacheDir: layout.cache,
          fresh: request.fresh,
        });
        return { supervisor, host: probe.host, snapshots: probe.capabilities.snapshots };
      },
    },
  };
}

/** The program that holds workspaces which outlive the command that started them. */
async function holderProgram(): Promise<HolderProgram> {
  // Beside this module when it is compiled, in the compiled tree when it is not.
  for (const place of ["./holder.js", "../dist/src/holder.js"]) {
    const path = fileURLToPath(new URL(place, import.meta.url));
    if (await isThere(path)) return { file: hostEnvironment.nodePath, args: [path] };
  }
  throw new MicroagentError("host_tool_missing", "The program that holds workspaces is not built", {
    hint: "In a checkout: npm run build. An installed package brings it along: install it again",
  });
}

const goArch = { x86_64: "amd64", aarch64: "arm64" } as const;

/** A binary of the guest agent: beside the sources, or in the installed package. */
async function guestProgram(
  program: "agent" | "network",
  arch: keyof typeof goArch,
): Promise<string> {
  const name = `guest/bin/microagent-${program}-linux-${goArch[arch]}`;
  const places = [`../${name}`, `../../${name}`].map((each) =>
    fileURLToPath(new URL(each, import.meta.url)),
  );
  for (const path of places) {
    if (await isThere(path)) return path;
  }
  throw new MicroagentError("host_tool_missing", `The guest agent "${name}" is not built`, {
    hint: `In a checkout: npm run build:guest -- ${goArch[arch]}. An installed package brings it along: install it again`,
  });
}
