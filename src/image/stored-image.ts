import type { GuestArchitecture } from "./architecture.ts";
import type { ImageConfig } from "./image-config.ts";
import type { LayerBlob } from "./layer.ts";

/** Where the bytes of this resolution came from: fetched now, read from a file, or already stored. */
export type ImageOrigin = "registry" | "local-layout" | "mmdebstrap" | "cache";

/** An image whose manifest, configuration and layers are all in the store, verified. */
export interface StoredImage {
  /** The reference in its full, normalised form. */
  readonly reference: string;
  /** The same image by content: repository and `@sha256:<hex>`. */
  readonly resolvedRef: string;
  /** Digest of the image manifest (of one platform, never of an index). */
  readonly digest: string;
  readonly arch: GuestArchitecture;
  readonly config: ImageConfig;
  /** Lowest layer first. */
  readonly layers: readonly LayerBlob[];
  readonly origin: ImageOrigin;
}
