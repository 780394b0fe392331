/*
 * Runs in every worker before each test file, also in one that keeps its modules from file to file (`isolate: false`): Vitest
 * runs a TypeScript file itself, while a package's JavaScript is loaded by Node, once. So this one is shipped as it is.
 */
import { beginFile } from "./setup.ts";

beginFile();
