import type { ProgramRun } from "../../supervisors/memory/guest-script.ts";

/** GETs over a call of the guest's, as its network stack would: the answer's text, or the refusal's code. */
export async function get(
  run: ProgramRun,
  dst: string,
  port: number,
  host: string,
): Promise<string> {
  const call = await run.call({ op: "tcp", dst, port, src_port: 40000 });
  if (!call.ok) return call.code ?? "refused";
  await call.connection.write(`GET / HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
  try {
    return (await readAll(call.connection)).toString();
  } catch {
    return "reset";
  } finally {
    call.connection.end();
  }
}

/** Asks the host for the A record of a name, as a resolver of the guest would: an address, or the code. */
export async function lookup(run: ProgramRun, name: string): Promise<string> {
  const call = await run.call({ op: "dns", dst: "10.0.2.3", transport: "udp" });
  const labels = name.split(".").flatMap((label) => [label.length, ...Buffer.from(label)]);
  const query = Buffer.from([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, 1, 0, 1]);
  await call.connection.write(Buffer.concat([Buffer.from([0, query.length]), query]));
  call.connection.end();
  const answer = (await readAll(call.connection)).subarray(2);
  const rcode = (answer[3] ?? 0) & 0xf;
  if (rcode !== 0) return `rcode ${rcode}`;
  return answer.readUInt16BE(6) === 0 ? "no answer" : [...answer.subarray(-4)].join(".");
}

async function readAll(from: { read(): Promise<Uint8Array | null> }): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for (let part = await from.read(); part !== null; part = await from.read()) parts.push(part);
  return Buffer.concat(parts);
}
