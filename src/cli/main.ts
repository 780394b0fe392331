#!/usr/bin/env node
import "./plain-schemas.ts";
import { runCli } from "./program.ts";
import { processTerminal } from "./terminal.ts";

const terminal = processTerminal();
const code = await runCli(process.argv.slice(2), terminal);
await terminal.finish(code);
