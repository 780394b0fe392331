import type { Duplex } from "node:stream";
import { createBrotliDecompress, createGunzip } from "node:zlib";
import { type Field, valuesOf } from "./fields.ts";
import { inflated } from "./inflated.ts";
import { Refusal } from "./refusal.ts";
import { unzstd } from "./unzstd.ts";

/**
 * Request fields that invite an encoded answer. Without them a server has no reason to encode, and an encoded
 * answer cannot be searched. gRPC and Connect negotiate the coding of their messages in fields of their own.
 */
export function invitesCoding(name: string): boolean {
  return name === "a-im" || /(^|-)accept-encoding$/.test(name);
}

/**
 * The decoders of a server that encodes its answer although it was asked not to, in the order in which they apply.
 * Refuses a coding that cannot be read.
 */
export function decodersOf(status: number, fields: readonly Field[]): readonly Duplex[] {
  const framing = tokensOf(fields, "transfer-encoding");
  if (framing.length > 1 || framing.some((coding) => coding !== "chunked" && coding !== "identity"))
    throw unreadable("Transfer-Encoding");
  for (const [name, value] of fields) {
    const encodesMessages = name === "grpc-encoding" || name.endsWith("-content-encoding");
    if (name === "im" || (encodesMessages && value.toLowerCase() !== "identity"))
      throw unreadable(name);
  }
  const codings = tokensOf(fields, "content-encoding").filter((coding) => coding !== "identity");
  if (codings.length > 2) throw badAnswer("compressed its answer more than twice");
  // A decoder needs the beginning, and a part has none.
  if (status === 206 && codings.length > 0) throw badAnswer("sent a part of a compressed answer");
  return codings.reverse().map(decoderOf);
}

function decoderOf(coding: string): Duplex {
  switch (coding) {
    case "gzip":
    case "x-gzip":
      return createGunzip();
    case "deflate":
      return inflated();
    case "br":
      return createBrotliDecompress();
    case "zstd":
      return unzstd();
    default:
      throw unreadable("Content-Encoding");
  }
}

/** The elements of a list, in lower case; blanks are those of HTTP, and nothing else. */
function tokensOf(fields: readonly Field[], name: string): string[] {
  return valuesOf(fields, name)
    .flatMap((value) => value.split(","))
    .map((token) => token.replace(/^[ \t]+|[ \t]+$/g, "").toLowerCase())
    .filter((token) => token !== "");
}

function unreadable(name: string): Refusal {
  return badAnswer(`encoded its answer in a way that cannot be searched (${name})`);
}

export function badAnswer(what: string): Refusal {
  return new Refusal(502, `The server ${what}`, `bad-upstream-answer: ${what}`);
}
