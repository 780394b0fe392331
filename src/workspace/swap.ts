import type { Agent } from "../agent/agent.ts";
import { singleFileTree } from "../agent/tree.ts";
import { isMicroagentError, MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { type Op, withOp } from "../base/op.ts";
import type { Interceptor } from "../egress/interceptor.ts";
import { createInterceptor } from "../egress/swap/create-interceptor.ts";
import { guestBundlePaths, guestJavaPaths, guestTrust } from "../egress/swap/guest-trust.ts";
import type { SwapRule } from "../egress/swap/rule.ts";
import { hostEnvironment } from "../host/environment.ts";
import { parseNamedSecret } from "../secret/named.ts";
import { resolveSecretText } from "../secret/resolve.ts";
import { readGuestText } from "./guest-text.ts";
import type { SwapRequest } from "./network-request.ts";
import { readSwap, type SwapFiles } from "./swap-rules.ts";

/** The credential swap of one guest. */
export interface OpenSwap {
  readonly interceptor: Interceptor;
  /** Complete once `deliver` has looked at the guest. */
  readonly env: Readonly<Record<string, string>>;
  /** Makes the guest's programs trust the authority, before anything of the user's runs. */
  deliver(op: Op, agent: Agent): Promise<void>;
}

/** Fails with what the rules or the roots are refused for. */
export async function openSwap(op: Op, request: SwapRequest): Promise<OpenSwap> {
  // A literal is refused here too, for callers that have no spec to check it.
  for (const text of request.providers) if (text.includes("=")) warnIfUnset(op, text);
  const { swaps, extraRootsPem, place } = await readSwap(op, request);
  const interceptor = await createInterceptor(op, { swaps, resolveSecret, extraRootsPem }).catch(
    (error) => Promise.reject(withPlace(error, place)),
  );
  let env: Readonly<Record<string, string>> = {};
  return {
    interceptor,
    get env() {
      return env;
    },
    async deliver(step, agent) {
      env = await trustIn(step, agent, interceptor.caCertificatePem, swaps);
    },
  };
}

/** An error about a field of a swap file, with the place of the field. */
function withPlace(error: unknown, place: SwapFiles["place"]): unknown {
  if (!isMicroagentError(error)) return error;
  const { swap, swapField } = error.details;
  if (typeof swap !== "string" || typeof swapField !== "string") return error;
  const at = place(swap, swapField);
  if (at === null) return error;
  const { code, message, hint, details } = error;
  return new MicroagentError(code, `${at}: ${message}`, { hint, details });
}

/** A key that is missing is told before the run; its requests alone fail, the rest may do without. */
function warnIfUnset(op: Op, text: string): void {
  const { name, ref } = parseNamedSecret(text);
  if (ref.scheme !== "env" || (hostEnvironment.env(ref.variable) ?? "") !== "") return;
  op.report({
    kind: "warning",
    text: `The key of "${name}" is not there: environment variable "${ref.variable}" is not set, so its requests will be refused`,
  });
}

async function resolveSecret(reference: string): Promise<Uint8Array> {
  const secret = await withOp("credential", { timeoutMs: limits.swap.acquireMs }, (op) =>
    resolveSecretText(op, reference),
  );
  return secret.bytes();
}

/** Writes what the guest needs to trust the authority; returns the variables that go with it. */
async function trustIn(
  op: Op,
  agent: Agent,
  caCertificatePem: string,
  swaps: readonly SwapRule[],
): Promise<Readonly<Record<string, string>>> {
  const bundles: { path: string; pem: string }[] = [];
  for (const path of guestBundlePaths) {
    const pem = await readGuestText(op, agent, path, limits.swap.bundleBytesMax);
    if (pem !== null) bundles.push({ path, pem });
  }
  const java = await existsIn(op, agent, guestJavaPaths);
  const { files, env } = guestTrust({ caCertificatePem, bundles, java, swaps });
  for (const { path, content, mode } of files) {
    await agent.put(op, path, singleFileTree(content, { mode }), { parents: true });
  }
  return env;
}

async function existsIn(op: Op, agent: Agent, paths: readonly string[]): Promise<boolean> {
  for (const path of paths) {
    try {
      await agent.stat(op, path);
      return true;
    } catch (error) {
      if (!isMicroagentError(error) || error.code !== "guest_file_not_found") throw error;
    }
  }
  return false;
}
