import { createHash, randomBytes, randomFillSync } from "node:crypto";
import { mkdirSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import vm from "node:vm";
import type { Hello } from "../wire/frames.ts";

/** When this process began, by the clock that the template had. */
const begunAtMs = Date.now();

/** OpenSSL's generators draw new seeds when their last ones are this old, or from the future. */
const seedsLastMs = 3_600_000;

/**
 * Makes this process another one than its siblings, which all woke with the same memory. OpenSSL's generators seed
 * themselves anew by the clock, which was set (see decision 0009). V8's never does, so it gives way.
 *
 * @returns what tells this clone from others: a digest of bytes that it has just drawn
 */
export function becomeAnother({ env, cwd, dirs }: Hello): string {
  const ageMs = Date.now() - begunAtMs;
  if (ageMs >= 0 && ageMs <= seedsLastMs) {
    throw new Error("The clock does not make random numbers this machine's own: build it anew");
  }
  for (const dir of [cwd, ...dirs]) mkdirSync(dir, { recursive: true });
  process.chdir(cwd);
  Object.assign(process.env, env);
  replaceRandom(globalThis);
  replaceRandomOfContexts();
  // It was read from the clock that the template had.
  const timeOrigin = Date.now() - performance.now();
  Object.defineProperty(performance, "timeOrigin", {
    value: timeOrigin,
    configurable: true,
    enumerable: true,
  });
  return createHash("sha256").update(randomBytes(32)).digest("hex");
}

/** Gives a realm a `Math.random` with a seed of its own. */
function replaceRandom(realm: { Math: Math }): void {
  const next = generator();
  const random = (): number => next();
  Object.defineProperty(realm.Math, "random", {
    value: random,
    writable: true,
    configurable: true,
    enumerable: false,
  });
}

/** xorshift128+, as V8 has it: 53 bits of the first half of its state. */
function generator(): () => number {
  const [a = 0n, b = 0n] = randomFillSync(new BigUint64Array(2));
  // 32-bit halves: arithmetic on big integers would be too slow for what is called this often.
  let [a1, a0] = halves(a);
  let [b1, b0] = halves(b === 0n && a === 0n ? 1n : b);
  return () => {
    let x1 = a1;
    let x0 = a0;
    a1 = b1;
    a0 = b0;
    // x ^= x << 23
    x1 ^= (x1 << 23) | (x0 >>> 9);
    x0 ^= x0 << 23;
    // x ^= x >> 17
    const y0 = x0 ^ ((x0 >>> 17) | (x1 << 15));
    const y1 = x1 ^ (x1 >>> 17);
    // x ^= y ^ (y >> 26)
    b0 = y0 ^ a0 ^ ((a0 >>> 26) | (a1 << 6));
    b1 = y1 ^ a1 ^ (a1 >>> 26);
    return ((a1 >>> 0) * 0x200000 + (a0 >>> 11)) / 0x20000000000000;
  };
}

function halves(value: bigint): [number, number] {
  return [Number(value >> 32n) | 0, Number(value & 0xffffffffn) | 0];
}

/** Contexts that tests make are seeded from the state that all clones have, too. */
function replaceRandomOfContexts(): void {
  const { createContext, runInContext, Script } = vm;
  const renewed = (context: vm.Context): vm.Context => {
    const own: unknown = runInContext("typeof Math === 'object' ? Math : null", context);
    if (own !== null) replaceRandom({ Math: own as Math });
    return context;
  };
  vm.createContext = ((...given: Parameters<typeof createContext>) => {
    const isNew = typeof given[0] !== "object" || !vm.isContext(given[0]);
    const context = createContext(...given);
    return isNew ? renewed(context) : context;
  }) as typeof createContext;
  Script.prototype.runInNewContext = function (object, options) {
    const { contextName, contextOrigin, contextCodeGeneration, microtaskMode, ...rest } =
      (typeof options === "string" ? {} : options) ?? {};
    const made = {
      ...(contextName !== undefined && { name: contextName }),
      ...(contextOrigin !== undefined && { origin: contextOrigin }),
      ...(contextCodeGeneration !== undefined && { codeGeneration: contextCodeGeneration }),
      ...(microtaskMode !== undefined && { microtaskMode }),
    };
    return this.runInContext(vm.createContext(object, made), rest);
  };
  vm.runInNewContext = (code, object, options) => {
    const given = typeof options === "string" ? { filename: options } : options;
    return new Script(code, given).runInNewContext(object, given);
  };
  // Programs that import the functions by name get them too.
  syncBuiltinESMExports();
}
