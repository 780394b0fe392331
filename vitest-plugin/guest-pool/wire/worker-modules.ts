/**
 * Modules of Vitest, by path in its folder of modules, that the worker in the guest imports: what it runs test files with, and
 * what test files import.
 */
export const workerModules = ["worker.js", "runtime.js", "index.js"] as const;
