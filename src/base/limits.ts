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
    /** Windows beyond the first 256 KiB of each stream, for all streams of one session. */
    sharedWindowBytes: 32 * MiB,
    /** Unread bytes of all streams that the guest opened; beyond it the stream with the most of them is reset. */
    unreadBytesMax: 64 * MiB,
    /** Streams the guest may hold open towards us. */
    inboundStreamsMax: 1024,
    /** Streams we open at once; the guest agent holds at most 768. */
    outboundStreamsMax: 640,
    /** One JSON header, request or reply line. */
    headerBytesMax: 64 * KiB,
    /** The handshake line. */
    helloBytesMax: 4 * KiB,
    /** Streams of ours the guest has not acknowledged; its accept queue holds 256. */
    unacknowledgedStreamsMax: 200,
    /** Data frames we send: small enough to interleave streams, large enough for full speed. */
    sendFrameBytes: 64 * KiB,
    /** How far we write ahead of the link; more only adds latency. */
    linkBufferBytes: 256 * KiB,
    /** Unsent answers (pongs, resets) at which we stop reading a guest that does not read us. */
    controlBacklogBytesMax: 1 * MiB,
  },
  guestCalls: {
    /** The line a guest opens a stream with. */
    lineBytesMax: 4 * KiB,
    /** How long that line may take. */
    lineMs: 10_000,
    /** How long the guest may leave its half open after we have ended ours. */
    leaveMs: 10_000,
  },
  egress: {
    /** How long a connection may say nothing at all. */
    tcpIdleMs: 3_600_000,
    /** The same once one side has ended its half: the other may never end its own, and holds a place that long. */
    halfClosedIdleMs: 300_000,
    udpIdleMs: 120_000,
    /** How long a guest may take between two questions of one DNS connection. */
    dnsIdleMs: 30_000,
    /** From the first byte of a connection until what says nothing about itself is let through, where it may be. */
    firstBytesMs: 2_000,
    /** The same until a request or a ClientHello that has begun must have ended: people type them too. */
    firstHeadMs: 10_000,
    /** Answers before one answer (1xx): a server that works for hours says so every few seconds at most. */
    interimAnswersMax: 1_000,
    /** Datagrams on their way to the guest; more are dropped, as a network would. */
    datagramBytesMax: 256 * KiB,
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
    /** Entries of every kind, of all outputs of a run together. */
    filesMax: 100_000,
    /** Their content, holes included. */
    bytesMax: 10 * GiB,
    pathBytesMax: 4096,
    /** Paths and link targets of all outputs: they are kept in memory and stand in two records. */
    nameBytesMax: 16 * MiB,
    /** Zeros of holes that are hashed: a second or two, where a guest makes a hole of any size at once. */
    hashedHoleBytesMax: 1 * GiB,
    /** Left-out entries that are recorded one by one; further ones are counted. */
    recordsMax: 1_000,
    recordedNameCharsMax: 300,
    /** Bringing all outputs of a run out: 10 GiB from an emulated guest take three minutes. */
    collectMs: 10 * 60_000,
  },
  message: {
    /** One error, warning or note: what an image or a guest says in it may have any length. */
    charsMax: 4_000,
    /** Notes and warnings of one run; further ones are counted. */
    noticesMax: 1_000,
  },
  report: {
    /**
     * A `result.json` holds two captured outputs, and a text may be six times as long in JSON: 120 MiB. Its list of
     * artifacts names each twice, and a quotation mark takes two bytes: 25 MiB and six times the bytes of names.
     */
    resultBytesMax: 256 * MiB,
    /** Bytes of a captured output that a page shows, from its end. */
    consoleBytesMax: 256 * KiB,
    /** Rows of a table; what is more is counted. */
    rowsMax: 500,
    /** Records that are merged into one. */
    runsMax: 1000,
  },
  image: {
    manifestBytesMax: 4 * MiB,
    configBytesMax: 8 * MiB,
    layersMax: 512,
    /** Layers of one image on their way at once. */
    parallelLayers: 4,
    /** Entries of an archive that holds images: some per layer. */
    archiveEntriesMax: 100_000,
    /** What a manifest may promise in layers, as they are fetched. */
    fetchedBytesMax: 128 * GiB,
    /** Uncompressed bytes of all layers together. */
    unpackedBytesMax: 256 * GiB,
    entriesMax: 4_000_000,
    /** Expansion a layer may reach once it is larger than 1 GiB: more is a bomb. */
    expansionRatioMax: 1_000,
    pathBytesMax: 4096,
    nameBytesMax: 255,
    /** What Linux accepts as a symbolic link's target. */
    linkTargetBytesMax: 4095,
    /** Directories below each other, links followed. */
    depthMax: 1_024,
    /** Names and values of one file's extended attributes. */
    xattrBytesMax: 64 * KiB,
    linkDepthMax: 40,
    /** A PAX header or a GNU long name. */
    tarHeaderBytesMax: 1 * MiB,
    sparseExtentsMax: 262_144,
    /** Names, link targets and attributes of the whole tree: they are kept in memory. */
    metadataBytesMax: 512 * MiB,
  },
  transfer: {
    /** A transfer on which nothing moves for this long is broken off. */
    silenceMs: 30_000,
    /** A transfer that brings less than this in this time of waiting is broken off as well: it only drips. */
    paceMs: 60_000,
    paceBytesMin: 60 * KiB,
  },
  registry: {
    /** A manifest, a token or an error, from its header to its end. */
    documentMs: 120_000,
    /** Reading the rest of an answer that nobody wants, to keep its connection. */
    discardMs: 2_000,
    /** All layers of one image, whatever their pace. */
    layersMs: 12 * 60 * 60_000,
    redirectsMax: 5,
    /** Tries of one thing without progress. */
    triesMax: 5,
    /** Tries of one blob however far each of them got. */
    triesTotalMax: 50,
    /** First pause between tries; doubles. */
    backoffMs: 250,
    backoffMsMax: 8_000,
    /** The longest `Retry-After` we wait for; a longer one is told to the user instead. */
    retryAfterMsMax: 60_000,
    /** What we read of an error's body. */
    errorBytesMax: 64 * KiB,
    tokenBytesMax: 1 * MiB,
  },
  spec: {
    fileBytesMax: 1 * MiB,
    /** Guards against alias bombs. */
    aliasCountMax: 100,
    /** Lexical parts of a file: the YAML library needs a microsecond or two for each. */
    tokensMax: 100_000,
    /** Backslashes in double-quoted texts: the library makes an error object of each bad one. */
    escapesMax: 20_000,
    /** Nested collections: the YAML library's composer is recursive. */
    nestingMax: 64,
    /** Values after aliases are expanded. */
    nodesMax: 50_000,
    /** Problems reported of one file. */
    problemsMax: 20,
    /** Content of all files that are copied into one guest, kept in memory. */
    capturedBytesMax: 512 * MiB,
    /** One setup script. */
    setupFileBytesMax: 1 * MiB,
  },
  ports: {
    /** Connections to all published ports of one workspace at once. */
    connectionsMax: 256,
    /** How long the guest may take to say whether a port is open. */
    connectMs: 30_000,
  },
  held: {
    /** Programs connected to one workspace at once. */
    connectionsMax: 128,
    /** How long a connection may take to say hello, and a stream to say what it wants. */
    firstLineMs: 10_000,
    /** One message between a workspace's process and whoever starts it: a result has two captured outputs in it. */
    messageBytesMax: 256 * MiB,
  },
  template: {
    /** What saved machines may take on the disk together; the least recently used go first. */
    storeBytesMax: 10 * GiB,
  },
  console: {
    /** The console's tail kept in memory for error reports. */
    tailBytes: 64 * KiB,
    /** The console log on disk. */
    logBytesMax: 16 * MiB,
  },
  kernel: {
    /** A kernel file from a path or a URL: distribution kernels are below 64 MiB. */
    fileBytesMax: 256 * MiB,
    /** The same, uncompressed. */
    unpackedBytesMax: 512 * MiB,
    moduleBytesMax: 64 * MiB,
    /** A kernel's record in the store. */
    recordBytesMax: 1 * MiB,
  },
  secret: {
    /** One value; what is larger is a file, not a secret. */
    valueBytesMax: 1 * MiB,
    /** Declared for one guest. */
    namesMax: 256,
    /** All files for one guest: they are in its memory. */
    filesBytesMax: 16 * MiB,
    /** Fetching one value from where it is. */
    resolveMs: 30_000,
    /** A Vault server's answer: a value and its neighbours. */
    vaultAnswerBytesMax: 4 * MiB,
    vaultRedirectsMax: 1,
    /** Requests of a guest answered at once, and how many more each second. */
    requestsBurst: 60,
    requestsPerSecond: 10,
    /** Of those, on their way to a source at once. */
    requestsInFlightMax: 8,
    /** The access log of one workspace; a guest that asks for ever must not fill the disk. */
    auditBytesMax: 16 * MiB,
  },
  /** What answers of model providers say of tokens. */
  usage: {
    /** One event, or an answer that is not streamed; a longer one is not looked into. */
    documentBytesMax: 1 * MiB,
    listItemsMax: 10_000,
    /** More than any answer has: larger numbers are nonsense. */
    tokensMax: 1_000_000_000,
    /** Models counted one by one; their names come from servers. */
    modelsMax: 50,
  },
  swap: {
    /** How long a workspace's authority and its leaves are valid. */
    authorityDays: 365,
    /** Leaves kept; a rule for a whole domain could otherwise fill memory. */
    leavesMax: 256,
    /** Roots of the system or the user in one file. */
    bundleBytesMax: 4 * MiB,
    /** TLS with the guest from its first byte to its last handshake message. */
    handshakeMs: 20_000,
    /** Connecting to the upstream, TLS included. */
    upstreamConnectMs: 30_000,
    /** From the end of one exchange to the complete head of the next: idle guests and slow heads. */
    headMs: 60_000,
    /** An exchange on which nothing moves in either direction; models think for minutes. */
    silenceMs: 15 * 60_000,
    /** All header lines of one request or answer, names and values. */
    headBytesMax: 64 * KiB,
    headFieldsMax: 256,
    /** Requests at once on one HTTP/2 connection. */
    streamsMax: 100,
    /** Connections to an HTTP/1.1 upstream for one of the guest. */
    upstreamConnectionsMax: 16,
    /** HTTP/2 receive window of a stream: full speed at a usual distance. */
    streamWindowBytes: 1 * MiB,
    /** Shorter than this a credential cannot be told from ordinary text when it comes back. */
    credentialBytesMin: 8,
    /** What fits in one header line that servers take. */
    credentialBytesMax: 16 * KiB,
    /** Values that were put in and no longer are: how long answers are still searched for them. */
    rememberedMs: 5 * 60_000,
    /** How often one rule's reference or token server is asked, at once and in a minute. */
    fetchesPerMinute: 10,
    /** After the second refusal in a row of a fresh credential, doubled by each one more. */
    refusalBackoffMs: 1_000,
    refusalBackoffMsMax: 60_000,
    /** Base64 of base64 is looked for up to this length of a value. */
    twiceEncodedBytesMax: 512,
    /** What a frame of zstd may refer back to, as RFC 9659 bounds it. */
    zstdWindowBytesMax: 8 * MiB,
    /** Bytes that the decoder of zstd may move for an answer, beside 256 for each byte that it gives. */
    zstdWorkBytes: 4 * GiB,
    /** Frames of one WebSocket message that wait for the rest of what may be a credential. */
    heldFramesMax: 4_096,
    /** An upload that is not wanted any more is still read for so long, so that its client reads the answer. */
    lingerMs: 30_000,
    /** How long a resolved static credential is used before its reference is asked again. */
    staticTtlMs: 5 * 60_000,
    /** After a failed acquisition the next one waits this long: a guest must not hammer a vault. */
    failureTtlMs: 1_000,
    /** Acquiring a credential, whatever it takes. */
    acquireMs: 30_000,
    /** A token server's answer. */
    tokenAnswerBytesMax: 256 * KiB,
    /** A token is renewed this long before it expires, or after half of a short life. */
    tokenSkewMs: 60_000,
    /** Life of a token whose server does not say. */
    tokenTtlMs: 5 * 60_000,
    tokenTtlMsMax: 24 * 60 * 60_000,
  },
  machine: {
    /** What our own kernel is built for. */
    cpusMax: 64,
    /** Virtual CPUs beyond this many for each of the host's only wait for each other. */
    cpusPerHostCpu: 8,
    /** How long a run waits for machines of other runs where a control group limits memory. */
    roomMs: 1_800_000,
    /** The same for a workspace: those that hold the room may stay for days. */
    workspaceRoomMs: 5_000,
  },
  mediation: {
    /** Connections of one guest to its mediation target at once. */
    connectionsMax: 128,
    /** One connection to the target. */
    dialMs: 2_000,
    /** Connect-and-close probes before a target counts as absent. */
    probeTries: 3,
    probePauseMs: 200,
    /** One line of JSON between host and guest. */
    messageBytesMax: 1 * MiB,
  },
  hostTool: {
    outputBytesMax: 16 * MiB,
  },
} as const;
