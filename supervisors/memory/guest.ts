import { posix } from "node:path";
import { type Duplex, duplexPair } from "node:stream";
import { MessageReader } from "../../src/agent/message-reader.ts";
import { MicroagentError } from "../../src/base/errors.ts";
import { type Clock, type Op, realClock, startOp } from "../../src/base/op.ts";
import { encodeHeader, frameType } from "../../src/channel/frame.ts";
import { guestHandshake, handshakeMark } from "../../src/channel/handshake.ts";
import { Session } from "../../src/channel/session.ts";
import type { ChannelStream } from "../../src/channel/stream.ts";
import { callHost, connectionOver } from "./guest-calls.ts";
import { serveExec } from "./guest-exec.ts";
import { MemoryFiles, type SavedNode } from "./guest-files.ts";
import { builtinPrograms } from "./guest-programs.ts";
import { GuestCall, type GuestRequest, guestRequest, type RequestOf } from "./guest-request.ts";
import type { GuestFault, GuestScript, Program } from "./guest-script.ts";
import { serveGet, servePut, serveReaddir, serveStat } from "./guest-transfer.ts";

/** A guest that lives in this process, seen from its machine. */
export interface MemoryGuest {
  /** The host's end of the byte stream; ends when the guest does. */
  readonly hostLink: Duplex;
  /** Resolves when the guest has powered itself off in good order; stays pending else. */
  readonly poweredOff: Promise<void>;
  /** What the guest holds, for a test to look at or to change. */
  readonly files: MemoryFiles;
  /** What a machine that is saved now holds. */
  save(): SavedGuest;
  /** Takes the guest's power away: the link ends, nothing is answered any more. */
  crash(): void;
}

/** A guest in a file. */
export interface SavedGuest {
  readonly configured: boolean;
  readonly files: readonly SavedNode[];
}

/**
 * Starts an in-memory guest that speaks the whole protocol, with the faults its script names; from a saved
 * one, it goes on where that stood and waits for a new session.
 */
export function startMemoryGuest(
  script: GuestScript = {},
  saved: SavedGuest | null = null,
): MemoryGuest {
  const [hostLink, guestLink] = duplexPair();
  // A machine that is gone ends its link, after what it had sent; and the other way round.
  guestLink.once("close", () => hostLink.push(null));
  hostLink.once("close", () => guestLink.destroy());
  const guest = new Guest(guestLink, script, saved);
  return {
    hostLink,
    poweredOff: guest.poweredOff,
    files: guest.files,
    save: () => guest.save(),
    crash: () => guest.powerDown(),
  };
}

class Guest {
  readonly files = new MemoryFiles();
  readonly poweredOff: Promise<void>;
  readonly #link: Duplex;
  readonly #script: GuestScript;
  readonly #fault: GuestFault | null;
  readonly #clock: Clock;
  readonly #bornMs: number;
  readonly #op: Op = startOp("guest").op;
  #configured = false;
  #quiesced = false;
  #nextPid = 100;
  #session: Session | null = null;
  #resolvePoweredOff: () => void = () => {};

  constructor(link: Duplex, script: GuestScript, saved: SavedGuest | null) {
    this.#link = link;
    this.#script = script;
    this.#fault = script.fault ?? null;
    this.#clock = script.clock ?? realClock;
    this.#bornMs = this.#clock.monotonic();
    this.poweredOff = new Promise((resolve) => {
      this.#resolvePoweredOff = resolve;
    });
    link.on("error", () => {});
    for (const dir of ["/bin", "/root", "/tmp", "/etc"]) this.files.makeDir(dir);
    for (const [path, data] of Object.entries(script.files ?? {})) this.files.write(path, data);
    if (saved !== null) {
      this.files.restore(saved.files);
      this.#configured = saved.configured;
      this.#quiesced = true;
    }
    this.#start().catch(() => this.powerDown());
  }

  save(): SavedGuest {
    return { configured: this.#configured, files: this.files.toJSON() };
  }

  powerDown(): void {
    this.#session?.close();
    this.#link.destroy();
  }

  async #start(): Promise<void> {
    const fault = this.#fault;
    await guestHandshake(this.#op, this.#link, (session) => {
      switch (fault?.kind) {
        case "silent":
          return null;
        case "bad-hello":
          return fault.bytes ?? Buffer.from("\u0007login: \r\n");
        case "refuses": {
          const error = { code: fault.code, message: fault.message };
          return Buffer.from(`${handshakeMark}${JSON.stringify({ v: 1, session, error })}\n`);
        }
        default:
          return {
            agent: "0.1.0",
            kernel: "6.1.0-memory",
            arch: "x86_64",
            ...this.#script.hello,
            uptimeMs: Math.round(this.#clock.monotonic() - this.#bornMs),
          };
      }
    });
    this.#session = new Session(this.#link, "server", {
      onStream: (stream) => {
        this.#serve(stream).catch(() => stream.reset());
      },
    });
  }

  async #serve(stream: ChannelStream): Promise<void> {
    const session = this.#session;
    if (session === null) return;
    const reader = new MessageReader(session, stream);
    const call = new GuestCall(this.#op, stream, reader);
    const request = guestRequest.safeParse(await reader.line(this.#op));
    if (!request.success) await call.refuse("invalid_request", "The request is not understood");
    else if (request.data.op === "connect") {
      // From here on the stream is the service's.
      await this.#connect(call, request.data.port);
      return;
    } else await this.#answer(call, request.data);
    stream.end();
    stream.finish();
  }

  async #answer(
    call: GuestCall,
    request: Exclude<GuestRequest, { readonly op: "connect" }>,
  ): Promise<void> {
    const always = request.op === "ping" || request.op === "poweroff" || request.op === "configure";
    if (!this.#configured && !always) {
      await call.refuse("not_configured", "The guest was not configured yet");
      return;
    }
    if (this.#quiesced && (request.op === "exec" || request.op === "put")) {
      await call.refuse("quiesced", "The machine is being saved and waits for resume");
      return;
    }
    switch (request.op) {
      case "quiesce":
        this.#quiesced = true;
        await call.reply();
        break;
      case "resume":
        this.files.write("/etc/hostname", `${request.hostname}\n`);
        this.#quiesced = false;
        await call.reply();
        break;
      case "ping":
        await call.reply({ time_unix_ns: `${Math.round(this.#clock.now())}000000` });
        break;
      case "configure":
        await this.#configure(call, request);
        break;
      case "exec":
        if (await this.#strike(call)) break;
        this.#nextPid += 1;
        await serveExec(call, request, this.#world(), this.#nextPid);
        break;
      case "put":
        await servePut(call, request, this.files);
        break;
      case "get":
        await serveGet(call, request, this.files);
        break;
      case "stat":
        await serveStat(call, request, this.files);
        break;
      case "readdir":
        await serveReaddir(call, request, this.files);
        break;
      case "secrets": {
        this.files.remove("/run/secrets");
        if (request.size_bytes > 0) this.files.makeDir("/run/secrets", 0o700);
        const [uid = 0, gid = 0] = request.user.split(":").map((part) => Number(part) || 0);
        await call.reply({ uid, gid });
        break;
      }
      case "purge_secrets":
        this.files.remove("/run/secrets");
        await call.reply();
        break;
      case "poweroff":
        await call.reply();
        if (this.#fault?.kind !== "ignores-power-off") this.#powerOff();
        break;
      default:
        request satisfies never;
    }
  }

  /** Hands the stream to what listens on the port; it ends the stream. */
  async #connect(call: GuestCall, port: number): Promise<void> {
    const service = this.#script.services?.[port];
    if (service === undefined) {
      await call.refuse("refused", `Nothing listens on port ${port}`, "ECONNREFUSED");
      call.stream.finish();
      return;
    }
    await call.reply();
    call.reader.release();
    await service(connectionOver(this.#op, call.stream));
  }

  async #configure(call: GuestCall, request: RequestOf<"configure">): Promise<void> {
    if (this.#configured) {
      await call.refuse("already_configured", "The guest is configured already");
      return;
    }
    this.#configured = true;
    this.files.write("/etc/hostname", `${request.hostname}\n`);
    if (request.network != null) {
      const lines = request.network.dns.map((address) => `nameserver ${address}\n`);
      this.files.write("/etc/resolv.conf", lines.join(""));
    }
    await call.reply({ timings_ms: { total: 0 } });
  }

  #world(): Parameters<typeof serveExec>[2] {
    return {
      files: this.files,
      clock: this.#clock,
      program: (name) => this.#program(name),
      call: async (request) => {
        const session = this.#session;
        if (session === null) throw new MicroagentError("channel_closed", "The guest has no host");
        return await callHost(this.#op, session, request);
      },
      powerOff: () => this.#powerOff(),
      onOutput: () => {
        if (this.#fault?.kind === "dies-mid-exec") this.powerDown();
      },
    };
  }

  #program(name: string): Program | null {
    const scripted = this.#script.programs ?? {};
    for (const key of [name, posix.basename(name)]) {
      const program = Object.hasOwn(scripted, key) ? scripted[key] : undefined;
      if (program !== undefined) return program;
      const builtin = Object.hasOwn(builtinPrograms, key) ? builtinPrograms[key] : undefined;
      if (builtin !== undefined) return builtin;
    }
    return null;
  }

  /** The faults of exec; true when the request is not to be served. */
  async #strike(call: GuestCall): Promise<boolean> {
    const fault = this.#fault;
    switch (fault?.kind) {
      case "raw-on-exec":
        this.#link.write(fault.bytes);
        return true;
      case "oversized-frame-on-exec":
        this.#link.write(oversizedFrame(call.stream.id));
        return true;
      case "hangs-on-exec":
        await new Promise<void>(() => {});
        return true;
      case "stream-flood-on-exec":
        for (let n = 0; n < fault.count; n++) await this.#session?.open(this.#op);
        return false;
      default:
        return false;
    }
  }

  #powerOff(): void {
    this.#resolvePoweredOff();
    // The machine hears of the good order first, and only then sees its link end.
    setImmediate(() => this.powerDown());
  }
}

function oversizedFrame(streamId: number): Uint8Array {
  return encodeHeader({ type: frameType.data, flags: 0, streamId, length: 0xffff_ffff });
}
