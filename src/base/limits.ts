/**
 * Every cap of the product in one place: value, unit in the name, reason beside it.
 * A cap is a promise to whoever faces a hostile peer; changing one is a change of behaviour.
 */

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

export const limits = {
  channel: {
    /** Largest yamux data frame we accept; the guest sends at most 64 KiB. */
    frameBytesMax: 1 * MiB,
    /** Receive window per stream: enough for 200 MB/s at a 5 ms round trip. */
    streamWindowBytes: 1 * MiB,
    /** Streams the guest may hold open towards us. */
    inboundStreamsMax: 1024,
    /** Streams we open at once. */
    outboundStreamsMax: 4096,
    /** One JSON header, request or reply line. */
    headerBytesMax: 64 * KiB,
    /** The handshake line. */
    helloBytesMax: 4 * KiB,
  },
  exec: {
    /** Captured output per stream; more is dropped and the result says so. */
    captureBytesMax: 10 * MiB,
    /** Grace between SIGTERM and SIGKILL of a timed-out command's group. */
    killGraceMs: 250,
    /** How long inherited pipes may stay open after the command ended. */
    drainMs: 5_000,
  },
  outputs: {
    filesMax: 100_000,
    bytesMax: 10 * GiB,
    pathBytesMax: 4096,
  },
  image: {
    manifestBytesMax: 4 * MiB,
    configBytesMax: 8 * MiB,
    layersMax: 512,
    /** Uncompressed bytes of all layers together. */
    unpackedBytesMax: 256 * GiB,
    entriesMax: 4_000_000,
    /** Expansion a layer may reach once it is larger than 1 GiB: more is a bomb. */
    expansionRatioMax: 1_000,
    pathBytesMax: 4096,
    xattrBytesMax: 64 * KiB,
    linkDepthMax: 40,
  },
  spec: {
    fileBytesMax: 1 * MiB,
    /** Guards against alias bombs. */
    aliasCountMax: 100,
  },
  console: {
    /** The console's tail kept in memory for error reports. */
    tailBytes: 64 * KiB,
    /** The console log on disk. */
    logBytesMax: 16 * MiB,
  },
  hostTool: {
    outputBytesMax: 16 * MiB,
  },
} as const;
