import { MicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import type { DockerReference } from "../reference/kinds.ts";
import type { ImageSource } from "./source.ts";

export interface RegistryOptions {
  readonly authPath: string;
  readonly insecureRegistries: readonly string[];
}

/** placeholder until the client is there */
export async function registrySource(
  _op: Op,
  reference: DockerReference,
  _options: RegistryOptions,
): Promise<ImageSource> {
  throw new MicroagentError(
    "not_supported_yet",
    `Registry "${reference.registry}" cannot be asked yet`,
  );
}
