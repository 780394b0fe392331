import type { DiskAttachment, DiskLayer } from "../../src/supervisor/port.ts";

/**
 * A disk as QEMU's block layer wants it. As JSON, because a path may hold commas. Read-only images are shared
 * by many machines at once, which QEMU's own file locks would forbid when one of the sharers died badly;
 * writable ones belong to one workspace, whose lock is ours.
 */
export function diskNode(disk: DiskAttachment, nodeName: string): Record<string, unknown> {
  const layers = disk.layers ?? [];
  const top: DiskLayer = { path: disk.path, format: layers.length === 0 ? "raw" : "qcow2" };
  const node = {
    "node-name": nodeName,
    ...layerNode(top, disk.readOnly, disk.durability === "disposable"),
  };
  return layers.length === 0 ? node : { ...node, backing: chain(layers) };
}

/** What continues a writable disk beside the files it had; QEMU puts it on top of them itself. */
export function overlayNode(
  path: string,
  nodeName: string,
  disposable: boolean,
): Record<string, unknown> {
  return {
    "node-name": nodeName,
    ...layerNode({ path, format: "qcow2" }, false, disposable),
    backing: null,
  };
}

function chain(layers: readonly DiskLayer[]): Record<string, unknown> | undefined {
  const top = layers.at(-1);
  if (top === undefined) return undefined;
  const node = layerNode(top, true, true);
  const below = chain(layers.slice(0, -1));
  return below === undefined ? node : { ...node, backing: below };
}

function layerNode(layer: DiskLayer, readOnly: boolean, disposable: boolean) {
  const discard = readOnly ? "ignore" : "unmap";
  const cache = { direct: false, "no-flush": !readOnly && disposable };
  return {
    driver: layer.format,
    "read-only": readOnly,
    discard,
    cache,
    file: {
      driver: "file",
      filename: layer.path,
      aio: "threads",
      locking: readOnly ? "off" : "auto",
      discard,
      cache,
    },
  };
}
