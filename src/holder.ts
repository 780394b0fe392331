/** The program that holds one workspace: started by the engine, never by hand. */
import { detachedProcess } from "./host/detached-process.ts";
import { createEngine } from "./registry.ts";
import { serveOrder } from "./workspace/held/serve-order.ts";

const own = detachedProcess();
own.end(await serveOrder(own, createEngine));
