import type { TarXattr } from "../tar/entry.ts";

/** Attributes of the host a layer was built on; container tools leave them out as well. */
const hostOnly = new Set(["security.selinux", "system.nfs4_acl"]);
const accessControlLists = new Set(["system.posix_acl_access", "system.posix_acl_default"]);

/**
 * The attributes that a Linux file system would take, in the order given. Other name spaces (those
 * of other systems) are left out, as `setxattr` refuses them and tools go on without.
 */
export function linuxXattrs(xattrs: readonly TarXattr[]): readonly TarXattr[] {
  if (xattrs.length === 0) return xattrs;
  return xattrs.filter(({ name }) => {
    if (hostOnly.has(name)) return false;
    return accessControlLists.has(name) || /^(user|trusted|security)\../s.test(name);
  });
}

/** A sentence part naming what is wrong with an attribute, or null. */
export function xattrFault({ name, value }: TarXattr): string | null {
  if (name.length > 255) return "an attribute name of more than 255 bytes";
  if (accessControlLists.has(name) && !isAclValid(value)) return `a bad "${name}"`;
  return null;
}

/** Version 2 header of 4 bytes, then 8 bytes each: tag, permission, id. */
function isAclValid(value: Uint8Array): boolean {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  if (value.length < 4 || (value.length - 4) % 8 !== 0 || view.getUint32(0, true) !== 2)
    return false;
  for (let at = 4; at < value.length; at += 8) {
    const tag = view.getUint16(at, true);
    if (![1, 2, 4, 8, 16, 32].includes(tag) || view.getUint16(at + 2, true) > 7) return false;
  }
  return true;
}
