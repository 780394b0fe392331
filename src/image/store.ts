import { join } from "node:path";
import type { Op } from "../base/op.ts";
import { withLock } from "../host/lock.ts";
import type { StateLayout } from "../host/state-layout.ts";
import { digestHex } from "./digest.ts";
import { Blobs } from "./store/blobs.ts";
import { Names } from "./store/names.ts";
import { Pins } from "./store/pins.ts";
import { Staging } from "./store/staging.ts";

/**
 * The image store: a directory shared by processes. Everything in it appears complete by a rename, so
 * it can be read at any moment, whoever was killed. Locks lie inside it because a cache directory
 * may serve several state directories.
 */
export class ImageStore {
  readonly root: string;
  readonly blobs: Blobs;
  readonly names: Names;
  readonly pins: Pins;
  readonly staging: Staging;
  /** Where `registry login` keeps credentials: beside the images' state. */
  readonly authPath: string;

  constructor(root: string, authPath: string) {
    this.root = root;
    this.authPath = authPath;
    this.blobs = new Blobs(root);
    this.names = new Names(root);
    this.pins = new Pins(root);
    this.staging = new Staging(root);
  }

  get locksDir(): string {
    return join(this.root, "locks");
  }

  /** Blobs on their way in, resumed by whoever wants them next. */
  get partialDir(): string {
    return join(this.root, "partial");
  }

  partialPath(digest: string): string {
    return join(this.partialDir, digestHex(digest));
  }

  get basesDir(): string {
    return join(this.root, "bases");
  }

  /** Runs `work` as the only one of all processes that holds the lock `name`. */
  lock<T>(op: Op, name: string, work: (op: Op) => Promise<T>, waitNote?: string): Promise<T> {
    return withLock(op, join(this.locksDir, `${name}.lock`), work, { waitNote });
  }

  /** The lock that pinning and pruning share; held for moments only. */
  gate<T>(op: Op, work: (op: Op) => Promise<T>): Promise<T> {
    return this.lock(op, "gate", work);
  }

  /** Protects digests from pruning until the result is disposed of. */
  pin(op: Op, digests: readonly string[]): Promise<AsyncDisposable> {
    return this.gate(op, () => this.pins.add(digests, op.clock.now()));
  }
}

/** The store of a state layout; creates nothing by itself. */
export function openStore(layout: Pick<StateLayout, "images" | "root">): ImageStore {
  return new ImageStore(layout.images, join(layout.root, "auth.json"));
}
