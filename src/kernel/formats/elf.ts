/** A section of an ELF file. */
export interface ElfSection {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const elfMagic = 0x464c457f;
const noteSegment = 4;
const noBitsSection = 8;
/** Xen's note type that holds the 32 bit physical entry of the PVH boot protocol. */
const pvhEntryNote = 18;

/** True for a little-endian 64 bit ELF file. */
export function isElf64(bytes: Uint8Array): boolean {
  if (bytes.length < 64) return false;
  return viewOf(bytes).getUint32(0, true) === elfMagic && bytes[4] === 2 && bytes[5] === 1;
}

/** The `e_machine` number of an ELF file: 62 is x86-64, 183 is AArch64. */
export function elfMachine(bytes: Uint8Array): number {
  return viewOf(bytes).getUint16(18, true);
}

/** The bytes of the named section, or null; null too when the headers point outside the file. */
export function elfSection(bytes: Uint8Array, name: string): Uint8Array | null {
  return elfSections(bytes).find((section) => section.name === name)?.bytes ?? null;
}

/** Whether a hypervisor can enter this kernel directly: a "Xen" note with the PVH entry point. */
export function hasPvhEntry(bytes: Uint8Array): boolean {
  if (!isElf64(bytes)) return false;
  return noteSegments(bytes).some((segment) => holdsPvhNote(segment));
}

function elfSections(bytes: Uint8Array): ElfSection[] {
  if (!isElf64(bytes)) return [];
  const view = viewOf(bytes);
  const tableAt = Number(view.getBigUint64(0x28, true));
  const entryBytes = view.getUint16(0x3a, true);
  const count = view.getUint16(0x3c, true);
  const namesIndex = view.getUint16(0x3e, true);
  if (entryBytes < 64 || tableAt + count * entryBytes > bytes.length || namesIndex >= count) {
    return [];
  }
  const header = (index: number) => {
    const at = tableAt + index * entryBytes;
    const type = view.getUint32(at + 4, true);
    const offset = Number(view.getBigUint64(at + 0x18, true));
    const size = type === noBitsSection ? 0 : Number(view.getBigUint64(at + 0x20, true));
    return { nameAt: view.getUint32(at, true), bytes: slice(bytes, offset, size) };
  };
  const names = header(namesIndex).bytes;
  const sections: ElfSection[] = [];
  for (let index = 0; index < count; index++) {
    const { nameAt, bytes: content } = header(index);
    if (names === null || content === null) continue;
    sections.push({ name: textAt(names, nameAt), bytes: content });
  }
  return sections;
}

function noteSegments(bytes: Uint8Array): Uint8Array[] {
  const view = viewOf(bytes);
  const tableAt = Number(view.getBigUint64(0x20, true));
  const entryBytes = view.getUint16(0x36, true);
  const count = view.getUint16(0x38, true);
  if (entryBytes < 56 || tableAt + count * entryBytes > bytes.length) return [];
  const found: Uint8Array[] = [];
  for (let index = 0; index < count; index++) {
    const at = tableAt + index * entryBytes;
    if (view.getUint32(at, true) !== noteSegment) continue;
    const offset = Number(view.getBigUint64(at + 8, true));
    const content = slice(bytes, offset, Number(view.getBigUint64(at + 0x20, true)));
    if (content !== null) found.push(content);
  }
  return found;
}

function holdsPvhNote(notes: Uint8Array): boolean {
  const view = viewOf(notes);
  let at = 0;
  while (at + 12 <= notes.length) {
    const nameBytes = view.getUint32(at, true);
    const valueBytes = view.getUint32(at + 4, true);
    const type = view.getUint32(at + 8, true);
    if (type === pvhEntryNote && nameBytes === 4 && textAt(notes, at + 12) === "Xen") return true;
    at += 12 + align4(nameBytes) + align4(valueBytes);
  }
  return false;
}

function align4(value: number): number {
  return Math.ceil(value / 4) * 4;
}

function slice(bytes: Uint8Array, offset: number, size: number): Uint8Array | null {
  return offset + size > bytes.length ? null : bytes.subarray(offset, offset + size);
}

function textAt(bytes: Uint8Array, at: number): string {
  const end = bytes.indexOf(0, at);
  return Buffer.from(bytes.subarray(at, end === -1 ? bytes.length : end)).toString("latin1");
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
