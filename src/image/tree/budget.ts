import { MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { LayerBlob } from "../layer.ts";

/** What all layers of an image together may use; throws `image_hostile` when it is more. */
export class UnpackBudget {
  #bytesLeft: number = limits.image.unpackedBytesMax;
  #entriesLeft: number = limits.image.entriesMax;

  takeEntry(layer: LayerBlob): void {
    if (--this.#entriesLeft < 0) {
      throw hostile(layer, `brings the image to more than ${limits.image.entriesMax} entries`);
    }
  }

  takeBytes(layer: LayerBlob, count: number): void {
    this.#bytesLeft -= count;
    if (this.#bytesLeft < 0) {
      throw hostile(layer, `brings the image to more than ${limits.image.unpackedBytesMax} bytes`);
    }
  }

  /** Call as a layer unpacks: large layers must not grow beyond all proportion. */
  checkExpansion(layer: LayerBlob, unpackedBytes: number): void {
    const ratioMax = limits.image.expansionRatioMax;
    if (unpackedBytes > 2 ** 30 && unpackedBytes > layer.size * ratioMax) {
      throw hostile(layer, `grows to more than ${ratioMax} times its ${layer.size} bytes`);
    }
  }
}

function hostile(layer: LayerBlob, what: string): MicroagentError {
  return new MicroagentError("image_hostile", `Layer "${layer.digest}" ${what} when unpacked`, {
    details: { layer: layer.digest },
  });
}
