import type { FileFacts } from "./machine.ts";

declare module "vitest" {
  /** Without parameters, which differ between Vitest's majors. */
  interface Assertion {
    /** A command's result: it exited with 0. */
    toSucceed(): void;
    /** A command's result: it exited with this code. */
    toExitWith(code: number): void;
    /** A machine: something listens on this TCP port, or will before the wait is over. */
    toListenOn(port: number): Promise<void>;
    /** A machine: there is a file, of this content, mode, owner. */
    toHaveFile(path: string, facts?: FileFacts): Promise<void>;
    /** A machine: a process of this name runs, or will before the wait is over. */
    toHaveProcess(name: string): Promise<void>;
    /** A machine: nothing but these paths has changed since it began. A path with a final "/" allows all below it. */
    toHaveChangedOnly(paths: readonly string[]): Promise<void>;
  }
}
