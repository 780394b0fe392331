/** Every usual spelling of an architecture that a guest can have, and the kernel's name for it. */
export const architectures = {
  x86_64: "x86_64",
  aarch64: "aarch64",
  amd64: "x86_64",
  arm64: "aarch64",
} as const;

export function isArchitectureWord(word: string): word is keyof typeof architectures {
  return Object.hasOwn(architectures, word);
}
