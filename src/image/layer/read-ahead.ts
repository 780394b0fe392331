import type { LayerBlob } from "../layer.ts";
import { type OpenLayer, openLayer } from "./read-layer.ts";

/**
 * Layers to read one after the other: while one is read, the next is decompressed already, which gives
 * a second processor something to do. What waits is bounded per layer. Leaving the loop closes both.
 */
export function* readAhead(layers: readonly LayerBlob[]): Generator<OpenLayer> {
  const open: OpenLayer[] = [];
  try {
    for (const layer of layers) {
      open.push(openLayer(layer));
      if (open.length === 1) continue;
      yield* first(open);
    }
    yield* first(open);
  } finally {
    for (const layer of open) layer[Symbol.dispose]();
  }
}

function* first(open: OpenLayer[]): Generator<OpenLayer> {
  const [layer] = open;
  if (layer === undefined) return;
  yield layer;
  open.shift();
  layer[Symbol.dispose]();
}
