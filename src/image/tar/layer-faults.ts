import { MicroagentError } from "../../base/errors.ts";

/** Something in a layer that cannot be: broken or cut off. `what` follows the layer's name. */
export function corruptLayer(layer: string, what: string, offset: number): MicroagentError {
  return new MicroagentError("image_corrupt", `Layer "${layer}" ${what} at offset ${offset}`, {
    hint: "Pull the image again with --pull always; if it stays so, the image itself is broken",
    details: { layer, offset },
  });
}

/** Something in a layer that tries to escape or to exhaust. `what` follows the layer's name. */
export function hostileLayer(layer: string, what: string, offset: number): MicroagentError {
  return new MicroagentError("image_hostile", `Layer "${layer}" ${what} at offset ${offset}`, {
    details: { layer, offset },
  });
}
