import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { MicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import { fileError } from "../../host/file-error.ts";
import type { LayerBlob } from "../layer.ts";
import { type Decoder, openDecoder } from "./decoder.ts";

const readBytes = 512 * 1024;

/** A layer that is being decompressed, as far ahead of its reader as memory allows. */
export interface OpenLayer extends Disposable {
  readonly layer: LayerBlob;
  readonly decoder: Decoder;
}

/** Starts to decompress; what goes wrong is told to whoever reads. */
export function openLayer(layer: LayerBlob): OpenLayer {
  const source = createReadStream(layer.path, { highWaterMark: readBytes });
  const decoder = openDecoder(source, layer.compression);
  return {
    layer,
    decoder,
    [Symbol.dispose]: () => {
      decoder.close();
      source.destroy();
    },
  };
}

/**
 * Streams the uncompressed bytes of a layer in order and verifies its diff id. Decompression of the
 * next chunk runs while `onChunk` works on this one. Fails with `image_corrupt` when the
 * compression is broken and `image_digest_mismatch` when the bytes are not the promised ones.
 */
export async function readLayer(
  op: Op,
  { layer, decoder }: OpenLayer,
  onChunk: (chunk: Buffer) => Promise<void> | void,
): Promise<void> {
  const hash = createHash("sha256");
  for (;;) {
    const chunk = await op.race(decoder.next()).catch((error) => {
      throw op.signal.aborted ? error : layerError(layer, error);
    });
    if (chunk === null) break;
    hash.update(chunk);
    await onChunk(chunk);
    op.check();
  }
  const found = `sha256:${hash.digest("hex")}`;
  if (found !== layer.diffId) {
    throw new MicroagentError(
      "image_digest_mismatch",
      `Layer "${layer.digest}" unpacks to "${found}" instead of "${layer.diffId}"`,
      { details: { layer: layer.digest, found, wanted: layer.diffId } },
    );
  }
}

function layerError(layer: LayerBlob, error: unknown): unknown {
  const details = { layer: layer.digest };
  if (isCodecFault(error)) {
    return new MicroagentError(
      "image_corrupt",
      `Layer "${layer.digest}" is no valid ${layer.compression} stream: ${error.message}`,
      { cause: error, details },
    );
  }
  return fileError(error, `Layer "${layer.digest}" cannot be read`);
}

/** Faults of the compressed data, as zlib and the zstd decoders report them. */
function isCodecFault(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  const code = (error as NodeJS.ErrnoException).code ?? "";
  return code === "CodecFault" || code.startsWith("Z_") || code.startsWith("ZSTD_");
}
