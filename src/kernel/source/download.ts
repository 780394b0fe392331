import { MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Op } from "../../base/op.ts";
import { Pace, pacedBody } from "../../host/pace.ts";
import { proxiedFetch } from "../../host/proxied-fetch.ts";
import type { StateLayout } from "../../host/state-layout.ts";
import { identifyKernel } from "../formats/identify.ts";
import { sha256Of } from "../hash-file.ts";
import { publishKernel } from "../kernel-directory.ts";
import type { KernelRecord } from "../record.ts";
import { soundRecord } from "../store.ts";

/**
 * Fetches a kernel file by address. The sha256 is not optional: a wrong one is
 * `kernel_digest_mismatch`, and nothing of what was fetched is kept or looked into. A kernel that
 * is in the store already is not fetched again.
 */
export async function installKernelFromUrl(
  op: Op,
  layout: StateLayout,
  url: string,
  sha256: string,
): Promise<KernelRecord> {
  const promised = parseSha256(sha256);
  const address = parseAddress(url);
  const name = `url-${promised.slice(0, 16)}`;
  const known = await soundRecord(op, layout, name);
  if (known !== null && known.sha256 === promised) return known;
  const bytes = await op.step("fetch kernel", (step) => fetchBytes(step, address));
  const actual = sha256Of(bytes);
  if (actual !== promised) {
    throw new MicroagentError(
      "kernel_digest_mismatch",
      `Kernel "${address.href}" has sha256 "${actual}", wanted "${promised}"`,
      { details: { url: address.href, actual, promised } },
    );
  }
  return await publishKernel(op, layout, {
    name,
    source: "url",
    origin: address.href,
    sha256: actual,
    kernel: await identifyKernel(op, bytes, address.href),
    config: null,
    modules: null,
    build: null,
  });
}

function parseSha256(text: string): string {
  const hex = text
    .trim()
    .toLowerCase()
    .replace(/^sha256:/, "");
  if (/^[0-9a-f]{64}$/.test(hex)) return hex;
  throw new MicroagentError(
    "invalid_argument",
    `The sha256 of a kernel has 64 hexadecimal digits, found "${text}"`,
    { hint: "Find it out with: sha256sum FILE" },
  );
}

function parseAddress(url: string): URL {
  const address = URL.canParse(url) ? new URL(url) : null;
  if (address !== null && ["http:", "https:"].includes(address.protocol)) {
    // Credentials in an address would end up in records and messages.
    if (address.username === "" && address.password === "") return address;
    throw new MicroagentError(
      "invalid_argument",
      `The address of a kernel on host "${address.host}" carries credentials, wanted one without`,
    );
  }
  throw new MicroagentError("invalid_argument", `The address "${url}" is neither http nor https`, {
    hint: "For a file of this host use: microagent kernel install --from FILE",
  });
}

async function fetchBytes(op: Op, address: URL): Promise<Uint8Array> {
  const stop = new AbortController();
  const pace = new Pace(op, (reason) => fetchFailed(address, reason), stop);
  const response = await request(op, address, stop, pace);
  const total = Number(response.headers.get("content-length") ?? Number.NaN);
  const parts: Uint8Array[] = [];
  let done = 0;
  try {
    for await (const part of pacedBody(response, pace, stop)) {
      done += part.length;
      if (done > limits.kernel.fileBytesMax) throw tooLarge(address);
      parts.push(part);
      op.report({
        kind: "amount",
        label: "kernel",
        done,
        total: Number.isFinite(total) ? total : null,
        unit: "bytes",
      });
    }
  } catch (error) {
    throw failure(op, address, error, stop.signal, "the transfer broke off");
  }
  return Buffer.concat(parts);
}

async function request(op: Op, address: URL, stop: AbortController, pace: Pace): Promise<Response> {
  try {
    pace.start();
    const signal = AbortSignal.any([op.signal, stop.signal]);
    const response = await op.race(proxiedFetch(address, { signal, redirect: "follow" }));
    pace.stop();
    if (response.ok) return response;
    stop.abort();
    throw fetchFailed(address, `the server answered ${response.status}`);
  } catch (error) {
    pace.stop();
    throw failure(op, address, error, stop.signal, "the server cannot be reached");
  }
}

function failure(
  op: Op,
  address: URL,
  error: unknown,
  stopped: AbortSignal,
  reason: string,
): unknown {
  op.check();
  if (error instanceof MicroagentError) return error;
  if (stopped.reason instanceof MicroagentError) return stopped.reason;
  return fetchFailed(address, reason, error);
}

function tooLarge(address: URL): MicroagentError {
  return new MicroagentError(
    "kernel_fetch_failed",
    `Kernel "${address.href}" is larger than ${limits.kernel.fileBytesMax} bytes`,
  );
}

function fetchFailed(address: URL, reason: string, cause?: unknown): MicroagentError {
  return new MicroagentError(
    "kernel_fetch_failed",
    `Kernel "${address.href}" could not be fetched: ${reason}`,
    { cause, details: { url: address.href } },
  );
}
