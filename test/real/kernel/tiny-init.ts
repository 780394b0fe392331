/**
 * An init program of a few hundred bytes for x86-64: prints a line on its standard output, which the
 * kernel opened on the console, and then reboots or ends, which panics the kernel. It needs
 * no compiler and no agent, so what it proves is the kernel's and the initramfs's alone.
 */
export function tinyInit(line: string, then: "reboot" | "exit"): Buffer {
  const text = Buffer.from(line, "latin1");
  const base = 0x400000;
  const codeAt = 64 + 56;
  const code = (textAddress: number) =>
    Buffer.concat([
      syscall(1, [1, textAddress, text.length]),
      then === "reboot" ? syscall(169, [0xfee1dead, 0x28121969, 0x01234567]) : syscall(60, [3]),
    ]);
  const codeBytes = code(0).length;
  const body = code(base + codeAt + codeBytes);
  const file = Buffer.concat([Buffer.alloc(codeAt), body, text]);
  file.write("\x7fELF", 0, "latin1");
  file.set([2, 1, 1], 4);
  file.writeUInt16LE(2, 16);
  file.writeUInt16LE(62, 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(BigInt(base + codeAt), 24);
  file.writeBigUInt64LE(64n, 32);
  file.writeUInt16LE(64, 52);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(1, 56);
  file.writeUInt32LE(1, 64);
  file.writeUInt32LE(5, 68);
  file.writeBigUInt64LE(BigInt(base), 80);
  file.writeBigUInt64LE(BigInt(base), 88);
  file.writeBigUInt64LE(BigInt(file.length), 96);
  file.writeBigUInt64LE(BigInt(file.length), 104);
  file.writeBigUInt64LE(0x1000n, 112);
  return file;
}

/** Loads rax, rdi, rsi and rdx with 32 bit values (the upper halves become zero) and enters the kernel. */
function syscall(number: number, args: readonly number[]): Buffer {
  const opcodes = [0xb8, 0xbf, 0xbe, 0xba];
  const moves = [number, ...args].map((value, at) => {
    const move = Buffer.alloc(5);
    move[0] = opcodes[at] ?? 0;
    move.writeUInt32LE(value >>> 0, 1);
    return move;
  });
  return Buffer.concat([...moves, Buffer.from([0x0f, 0x05])]);
}
