/** Numbers of Linux's signals on the architectures we boot, by their usual names. */
const numbers: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGSTKFLT: 16,
  SIGCHLD: 17,
  SIGCONT: 18,
  SIGSTOP: 19,
  SIGTSTP: 20,
  SIGTTIN: 21,
  SIGTTOU: 22,
  SIGURG: 23,
  SIGXCPU: 24,
  SIGXFSZ: 25,
  SIGVTALRM: 26,
  SIGPROF: 27,
  SIGWINCH: 28,
  SIGIO: 29,
  SIGPWR: 30,
  SIGSYS: 31,
};

const aliases: Readonly<Record<string, number>> = { SIGIOT: 6, SIGPOLL: 29, SIGCLD: 17 };

/** Real-time signals as C libraries count them: the first two of the kernel's are theirs. */
const realTimeMin = 34;
const realTimeMax = 64;

/**
 * Number of a signal in any form an image may use: `SIGTERM`, `term`, `15`, `SIGRTMIN+3`, `RTMAX-1`, `SIG37`.
 * Null when Linux has none such.
 */
export function signalNumber(text: string): number | null {
  const word = text.toUpperCase().replace(/^SIG(?=.)/, "");
  const named = numbers[`SIG${word}`] ?? aliases[`SIG${word}`];
  if (named !== undefined) return named;
  const [, edge, sign, distance] = /^RT(MIN|MAX)(?:([+-])([0-9]{1,2}))?$/.exec(word) ?? [];
  let number = Number.NaN;
  if (/^[0-9]{1,2}$/.test(word)) number = Number(word);
  else if (edge === "MIN" && sign !== "-") number = realTimeMin + Number(distance ?? 0);
  else if (edge === "MAX" && sign !== "+") number = realTimeMax - Number(distance ?? 0);
  else return null;
  const isRealTime = number >= realTimeMin && number <= realTimeMax;
  const isUsual = edge === undefined && number >= 1 && number <= 31;
  return isRealTime || isUsual ? number : null;
}

/** The name that the guest agent knows a signal by: the usual one, or `SIG37` for one without. */
export function signalName(number: number): string {
  return Object.entries(numbers).find(([, each]) => each === number)?.[0] ?? `SIG${number}`;
}

/** The signal an image wants to be stopped with, for the guest agent; `SIGTERM` when it says nothing. */
export function stopSignalOf(text: string): string {
  const number = text === "" ? null : signalNumber(text);
  return number === null ? "SIGTERM" : signalName(number);
}
