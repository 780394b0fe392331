const ctrlRightBracket = 0x1d;
const ctrlP = 0x10;
const ctrlQ = 0x11;

/** Finds the keys that leave a dialogue among those that are meant for it. */
export class DetachKeys {
  #heldCtrlP = false;

  /** What is to be sent on, and whether the dialogue is to be left after it. */
  take(bytes: Uint8Array): { readonly send: Uint8Array; readonly detach: boolean } {
    const send: number[] = [];
    for (const byte of bytes) {
      if (byte === ctrlRightBracket || (this.#heldCtrlP && byte === ctrlQ)) {
        return { send: Uint8Array.from(send), detach: true };
      }
      if (this.#heldCtrlP) send.push(ctrlP);
      // Not sent before it is known what follows.
      this.#heldCtrlP = byte === ctrlP;
      if (!this.#heldCtrlP) send.push(byte);
    }
    return { send: Uint8Array.from(send), detach: false };
  }
}
