/** An image in a registry, in its full form: what was left out has been filled in. */
export interface DockerReference {
  readonly transport: "docker";
  /** Host and optional port as written, `docker.io` when none was. */
  readonly registry: string;
  readonly repository: string;
  /** Null only when a digest was given instead. */
  readonly tag: string | null;
  readonly digest: string | null;
}

/** An OCI image layout: a directory. */
export interface LayoutReference {
  readonly transport: "oci";
  readonly path: string;
  readonly tag: string | null;
  readonly digest: string | null;
}

/** A tar file: an OCI layout in one, or the format of `docker save`. */
export interface ArchiveReference {
  readonly transport: "oci-archive" | "docker-archive";
  readonly path: string;
  readonly tag: string | null;
  readonly digest: string | null;
}

/** A root made from the distribution's packages. */
export interface MmdebstrapReference {
  readonly transport: "mmdebstrap";
  readonly suite: string;
  /** Package names, sorted, each once. */
  readonly include: readonly string[];
  readonly variant: string;
  readonly components: readonly string[];
  /** What the packages must amount to, as they did before. */
  readonly digest: string | null;
}

/** An image that exists only in this store: `local/name:tag`, or `sha256:<hex>` of a manifest. */
export interface LocalReference {
  readonly transport: "local";
  readonly name: string | null;
  readonly digest: string | null;
}

export type ImageReference =
  | DockerReference
  | LayoutReference
  | ArchiveReference
  | MmdebstrapReference
  | LocalReference;
