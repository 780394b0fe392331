/*
 * zod writes and compiles a function for every object schema that is used, which pays after thousands of uses. A command
 * uses each a few times, so it goes without. Set before zod is loaded, by whoever owns the process: programs that use
 * this package share the setting with their own zod and are left alone.
 */
Object.assign(globalThis, { __zod_globalConfig: { jitless: true } });
