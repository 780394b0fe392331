import { MicroagentError } from "../base/errors.ts";
import type { ImageConfig } from "../image/image-config.ts";

/** What to run: a shell line, an exact argument vector, or what the image says. */
export type Command =
  | { readonly kind: "shell"; readonly text: string }
  | { readonly kind: "argv"; readonly argv: readonly string[] }
  | { readonly kind: "image" };

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The argument vector of a command; an image without Entrypoint and Cmd has none. */
export function argvOf(command: Command, shell: string, image: ImageConfig): readonly string[] {
  switch (command.kind) {
    case "shell":
      return [shell, "-c", command.text];
    case "argv":
      return command.argv;
    case "image": {
      const argv = [...image.entrypoint, ...image.cmd];
      if (argv.length > 0) return argv;
      throw new MicroagentError(
        "invalid_argument",
        "The image names no command of its own, and none was given",
        { hint: "Give one with --exec, after the image, or as agent.entry in the spec" },
      );
    }
  }
}

/** Environment of a command: image, then ours, later names winning; a PATH is always there. */
export function environmentOf(
  image: ImageConfig,
  extra: Readonly<Record<string, string>>,
): string[] {
  const merged = new Map<string, string>([["PATH", defaultPath]]);
  for (const line of image.env) {
    const at = line.indexOf("=");
    if (at > 0) merged.set(line.slice(0, at), line.slice(at + 1));
  }
  for (const [name, value] of Object.entries(extra)) merged.set(name, value);
  return [...merged].map(([name, value]) => `${name}=${value}`);
}
