// The product as the cases use it. Nothing here is measured.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "../scripts/steps.mjs";
import { subjectPath } from "./build-subject.mjs";

/** The compiled command line, absolute. */
export const cli = join(root, "dist", "src", "cli", "main.js");

const subject = await import(pathToFileURL(subjectPath).href);

export const { defaultSupervisors, makeCertificate, pemOf } = subject;
export const { ensureInitramfs, makeEmptyExt4, readHostTree, writeHostTree } = subject;
export const { cloneTemplate, ensureTemplate, openTemplatePool, standTemplate } = subject;
export const { makeOverlay, nothingAttached } = subject;
export const { boot, createEngine, ensureBaseImage, openStore, resolveImage, stateLayout } =
  subject;

/** Runs `work` with an op of its own, without a bound. */
export async function withOp(name, work, onProgress = () => {}) {
  return await subject.withOp(name, { onProgress }, work);
}
