import { MicroagentError } from "../../src/base/errors.ts";
import type { HostFacts, MachineRequest } from "../../src/supervisor/port.ts";
import type { Board } from "./board.ts";

/** What an x86 kernel keeps of its command line. */
const bytesMax = 2047;

/** The kernel command line: ours first, then the caller's words. `invalid_argument` on a bad word. */
export function kernelCommandLine(request: MachineRequest, host: HostFacts, board: Board): string {
  for (const word of request.cmdline) {
    if (!/^[\x21-\x7e]+$/.test(word)) {
      throw new MicroagentError(
        "invalid_argument",
        `Kernel argument "${word}" is not one word of printable ASCII`,
      );
    }
  }
  const line = [
    // Quiet but not silent: warnings and panics still reach the console that explains a crash.
    `console=${board.consoleDevice}`,
    "quiet",
    // A panic resets at once, and QEMU ends on a reset, so a crash is noticed and not waited for.
    "panic=-1",
    ...(host.arch === "x86_64" ? ["reboot=t"] : []),
    ...emulationWords(request, host),
    ...request.cmdline,
  ].join(" ");
  if (Buffer.byteLength(line) > bytesMax) {
    throw new MicroagentError(
      "invalid_argument",
      `The kernel command line has ${Buffer.byteLength(line)} bytes, wanted at most ${bytesMax}`,
    );
  }
  return line;
}

/*
 * Under emulation a kernel spends most of its boot on finding out what we know already: the clock's rate
 * (which it can also get wrong and hang on), the timer's rate, self tests, and on patching itself for a
 * single CPU. With a hypervisor the clock is paravirtual and none of this is needed.
 */
function emulationWords(request: MachineRequest, host: HostFacts): string[] {
  if (host.accel !== "tcg") return [];
  // What the emulator has translated it finds again by its address: a program at another one each time is translated
  // each time, which is more than half of what a short command costs.
  const addresses = ["norandmaps"];
  if (host.arch !== "x86_64") return addresses;
  const { flavor } = request.kernel;
  // From the clock's rate a kernel also knows its loops per jiffy.
  const clock = host.tscKhz === null ? [] : [`tsc_early_khz=${host.tscKhz}`, "tsc=reliable"];
  return [
    ...addresses,
    ...clock,
    "no_timer_check",
    "noreplace-smp",
    // Without the local timer, several CPUs sleep much too long.
    ...(request.cpus === 1 ? ["nolapic_timer"] : []),
    ...(flavor === "distribution" ? ["cryptomgr.notests"] : []),
  ];
}
