import { MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Op } from "../../base/op.ts";
import { sha256Of } from "../digest.ts";
import { acceptedManifests } from "../manifest.ts";
import { type ByteRun, receiveBlob } from "../receive-blob.ts";
import type { DockerReference } from "../reference/kinds.ts";
import { formatReference } from "../reference.ts";
import { answerError, midSentence } from "../registry/answer-error.ts";
import { Authorizer } from "../registry/authorizer.ts";
import { authPaths } from "../registry/credentials.ts";
import { findEndpoint, mayBePlain } from "../registry/endpoint.ts";
import { type Answer, Http } from "../registry/http.ts";
import { Reach } from "../registry/reach.ts";
import { Retries, withRetries } from "../registry/retry.ts";
import type { Document, ImageSource } from "./source.ts";

export interface RegistryOptions {
  /** Our own credentials file. */
  readonly authPath: string;
  readonly insecureRegistries: readonly string[];
}

/**
 * An image of any registry that speaks the OCI distribution protocol. Every byte is checked against the digest it
 * was promised under; broken transfers go on where they stopped.
 */
export async function registrySource(
  op: Op,
  reference: DockerReference,
  options: RegistryOptions,
): Promise<ImageSource> {
  const what = `Image "${formatReference(reference)}"`;
  const { registry, repository } = reference;
  const plainAllowed = mayBePlain(registry, options.insecureRegistries);
  const reach = new Reach(registry, options.insecureRegistries);
  const http = new Http(reach);
  const endpoint = await op.step("connect", (step) =>
    withRetries(step, () => findEndpoint(step, http, registry, plainAllowed)),
  );
  const authorizer = new Authorizer(http, {
    registry,
    repository,
    what,
    authPaths: authPaths(options.authPath),
    reach,
  });

  const get = async (step: Op, path: string, headers: Record<string, string>): Promise<Answer> => {
    // Twice: once to learn how to log in, once for a token that ended meanwhile.
    for (let logins = 0; ; logins++) {
      const authorization = authorizer.header;
      const url = `${endpoint}/v2/${repository}/${path}`;
      const answer = await http.send(step, { url, headers, authorization });
      // Credentials answer the registry's own challenge: a host that it redirects to is another party.
      const isOwn = new URL(answer.url).origin === new URL(endpoint).origin;
      const challenge = answer.status === 401 && isOwn ? answer.header("www-authenticate") : null;
      if (challenge === null || logins === 2) return answer;
      if (!(await authorizer.renew(step, challenge, authorization))) return answer;
      await answer.discard();
    }
  };

  const manifest = (step: Op, name: string, promised: string | null): Promise<Document> =>
    withRetries(step, async () => {
      const answer = await get(step, `manifests/${name}`, { accept: acceptedManifests });
      if (answer.status !== 200) throw await answerError(step, answer, authorizer.asked);
      const bytes = await answer.bytes(limits.image.manifestBytesMax);
      if (bytes === null) {
        throw new MicroagentError(
          "image_unsupported",
          `${what} has a manifest of more than ${limits.image.manifestBytesMax} bytes`,
        );
      }
      const digest = sha256Of(bytes);
      const told = promised ?? answer.header("docker-content-digest");
      if (told?.startsWith("sha256:") === true && told !== digest) {
        throw new MicroagentError(
          "image_digest_mismatch",
          `${what} was promised as "${told}" and came as "${digest}"`,
        );
      }
      return { bytes, digest, mediaType: answer.header("content-type") };
    });

  return {
    origin: "registry",
    what,
    top: (step) => manifest(step, reference.digest ?? reference.tag ?? "latest", reference.digest),
    document: (step, descriptor) => manifest(step, descriptor.digest, descriptor.digest),
    blob(step, store, descriptor) {
      const retries = new Retries();
      return receiveBlob(step, store, descriptor, {
        open: async (each, blob, offset) => {
          const headers: Record<string, string> = offset === 0 ? {} : { range: `bytes=${offset}-` };
          const answer = await get(each, `blobs/${blob.digest}`, headers);
          return await byteRun(each, answer, offset, () =>
            answerError(each, answer, {
              ...authorizer.asked,
              what: `Blob "${blob.digest}" of ${midSentence(what)}`,
            }),
          );
        },
        recover: (each, _blob, error, progressed) => retries.next(each, error, progressed),
      });
    },
  };
}

async function byteRun(
  op: Op,
  answer: Answer,
  offset: number,
  failed: () => Promise<MicroagentError>,
): Promise<ByteRun> {
  op.check();
  if (answer.status === 200) return { offset: 0, bytes: answer.body };
  if (answer.status === 206) {
    const start = /^bytes (\d+)-/.exec(answer.header("content-range") ?? "")?.[1];
    if (Number(start) === offset) return { offset, bytes: answer.body };
  }
  if (answer.status === 206 || answer.status === 416) {
    await answer.discard();
    // What we have cannot be continued: an empty run from the start drops it, and the next try begins anew.
    return { offset: 0, bytes: nothing() };
  }
  throw await failed();
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
