/**
 * The parts of the EROFS on-disk format that we write and read: uncompressed files, 4096-byte
 * blocks, nothing newer than Linux 5.15.
 */
export const erofs = {
  magic: 0xe0f5e1e2,
  superOffset: 1024,
  blockBits: 12,
  /** Inodes are addressed in slots of 32 bytes from the start of the metadata area. */
  slotBytes: 32,
  inodeBytes: 64,
  direntBytes: 12,
  xattrHeaderBytes: 12,
  compatChecksum: 0x1,
  compatMtime: 0x2,
  incompatChunkedFile: 0x4,
  layoutPlain: 0,
  layoutInline: 2,
  layoutChunks: 4,
  chunkBitsMask: 0x1f,
  nullBlock: 0xffffffff,
} as const;

/** File types of directory entries, by the type bits of a mode shifted right by 12. */
export const direntTypes: readonly number[] = [0, 5, 3, 0, 2, 0, 4, 0, 1, 0, 7, 0, 6];

/** Prefixes that attribute names are stored without, longest match first. */
export const xattrPrefixes: readonly (readonly [prefix: string, index: number])[] = [
  ["system.posix_acl_access", 2],
  ["system.posix_acl_default", 3],
  ["user.", 1],
  ["trusted.", 4],
  ["security.", 6],
];
