import { open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { randomHex } from "../base/ids.ts";
import { namesIn } from "../host/directory-names.ts";
import { hostEnvironment } from "../host/environment.ts";
import { fileError } from "../host/file-error.ts";
import { monotonicStamp } from "../host/monotonic-stamp.ts";
import { identityOf, ownIdentity, type ProcessIdentity } from "../host/process-identity.ts";

/*
 * A ticket is an empty file whose name says everything: arrival, owner, group, memory, CPUs, state. So it
 * appears whole, and looking at all of them is one read of a directory.
 */
export interface Ticket {
  /** Sorts by arrival; the same while waiting and when granted. */
  readonly name: string;
  readonly group: string;
  readonly memoryMib: number;
  readonly cpus: number;
  readonly granted: boolean;
}

export interface OwnTicket {
  readonly name: string;
  readonly path: string;
}

const form = /^([0-9a-z]+-[0-9a-f]+)\.(\d+)-(\w+)\.([a-z0-9]+)\.(\d+)\.(\d+)\.(waiting|granted)$/;

/** Queues up. */
export async function openTicket(
  dir: string,
  request: { readonly memoryMib: number; readonly cpus: number; readonly group: string },
): Promise<OwnTicket> {
  const name = `${monotonicStamp()}-${randomHex(4)}`;
  const { pid } = ownIdentity();
  const { group, memoryMib, cpus } = request;
  const size = `${Math.ceil(memoryMib)}.${Math.ceil(cpus)}`;
  const path = join(dir, `${name}.${pid}-${ownerToken(ownIdentity())}.${group}.${size}.waiting`);
  try {
    await (await open(path, "wx", 0o600)).close();
  } catch (error) {
    throw fileError(error, `Ticket "${path}" cannot be written`);
  }
  return { name, path };
}

/** Turns a waiting ticket into a granted one. */
export async function grantTicket(ticket: OwnTicket): Promise<OwnTicket> {
  return await renamed(ticket, ticket.path.replace(/waiting$/, "granted"));
}

/** Puts a ticket into another group. */
export async function regroupTicket(ticket: OwnTicket, group: string): Promise<OwnTicket> {
  const [name, owner, , ...rest] = basename(ticket.path).split(".");
  return await renamed(ticket, join(dirname(ticket.path), [name, owner, group, ...rest].join(".")));
}

async function renamed(ticket: OwnTicket, path: string): Promise<OwnTicket> {
  try {
    await rename(ticket.path, path);
  } catch (error) {
    throw fileError(error, `Ticket "${ticket.path}" cannot become "${basename(path)}"`);
  }
  return { name: ticket.name, path };
}

export async function dropTicket(ticket: OwnTicket): Promise<void> {
  await rm(ticket.path, { force: true }).catch(() => {});
}

const namespaceToken = `_ns${hostEnvironment.pidNamespace ?? ""}`;

function ownerToken({ startTime }: ProcessIdentity): string {
  return `${startTime.replace(/\W/g, "_")}${namespaceToken}`;
}

/** Every ticket of a living owner, by arrival. Those of dead ones are removed. */
export async function listTickets(dir: string): Promise<readonly Ticket[]> {
  const tickets: Ticket[] = [];
  for (const file of (await namesIn(dir)).sort()) {
    const match = form.exec(file);
    if (match === null) continue;
    const [, name = "", pid, owner = "", group = "", memoryMib, cpus, state] = match;
    // Of another container that shares this directory: its process cannot be seen, and its memory is not ours.
    if (owner.includes("_ns") && !owner.endsWith(namespaceToken)) continue;
    const living = identityOf(Number(pid));
    if (living === null || ownerToken(living) !== owner) {
      await rm(join(dir, file), { force: true }).catch(() => {});
      continue;
    }
    tickets.push({
      name,
      group,
      memoryMib: Number(memoryMib),
      cpus: Number(cpus),
      granted: state === "granted",
    });
  }
  return tickets;
}
