import type { Op } from "../../base/op.ts";
import type { GuestArchitecture } from "../architecture.ts";
import type { Descriptor } from "../manifest.ts";
import type { ImageStore } from "../store.ts";

/** A manifest or index as it was received; the digest is computed, never believed. */
export interface Document {
  readonly bytes: Uint8Array;
  readonly digest: string;
  /** What the sender calls it, null when it says nothing. */
  readonly mediaType: string | null;
}

/** One place an image can come from, asked for one image. */
export interface ImageSource {
  readonly origin: "registry" | "local-layout" | "mmdebstrap";
  /** Begins sentences about the image, for example `Image "docker.io/library/debian:12"`. */
  readonly what: string;
  /** The manifest or index the reference names. */
  top(op: Op, arch: GuestArchitecture): Promise<Document>;
  /** A manifest or index that an index promised; size and digest verified. */
  document(op: Op, descriptor: Descriptor): Promise<Document>;
  /** Brings a verified blob into the store. */
  blob(op: Op, store: ImageStore, descriptor: Descriptor): Promise<void>;
}
