/** How the bytes of a layer blob are compressed. */
export type LayerCompression = "none" | "gzip" | "zstd";

/** One layer of an image: a file of the store that holds a tar archive, compressed or not. */
export interface LayerBlob {
  /** `sha256:<hex>` of the blob as it is stored. */
  readonly digest: string;
  /** `sha256:<hex>` of the uncompressed tar, from the image's config. */
  readonly diffId: string;
  readonly mediaType: string;
  readonly compression: LayerCompression;
  /** Bytes of the blob as it is stored. */
  readonly size: number;
  readonly path: string;
}
