import { Duplex } from "node:stream";

/** The host's end of a guest's byte stream, with a switch that holds back everything in both directions. */
export class FreezableLink extends Duplex {
  readonly #guest: Duplex;
  #frozen = false;
  #held: (() => void) | null = null;

  constructor(guest: Duplex, onGuestEnd: () => void) {
    super({ allowHalfOpen: false });
    this.#guest = guest;
    guest.on("data", (chunk: Buffer) => {
      if (!this.destroyed && !this.push(chunk)) guest.pause();
    });
    guest.on("error", () => {});
    guest.once("end", () => {
      if (!this.destroyed) this.push(null);
      onGuestEnd();
    });
    this.on("error", () => {});
  }

  freeze(): void {
    this.#frozen = true;
    this.#guest.pause();
  }

  thaw(): void {
    this.#frozen = false;
    this.#guest.resume();
    const held = this.#held;
    this.#held = null;
    held?.();
  }

  /** Ends the stream for good when nobody reads it; a reader still gets what was said, then the end. */
  closeUnread(): void {
    if (this.listenerCount("data") + this.listenerCount("readable") === 0) this.destroy();
  }

  override _read(): void {
    if (!this.#frozen) this.#guest.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    const send = () => {
      // A machine that is gone takes bytes as a dead socket does: into nothing.
      if (this.#guest.writable) this.#guest.write(chunk, () => done());
      else done();
    };
    if (this.#frozen) this.#held = send;
    else send();
  }

  override _final(done: () => void): void {
    // As with a virtual serial port, the guest never learns that the host has nothing more to say.
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    // The machine lives on; what its guest still says is lost.
    this.#held = null;
    if (!this.#frozen) this.#guest.resume();
    done(error);
  }
}
