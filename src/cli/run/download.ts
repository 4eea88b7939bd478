// The bytes of an artifact on their way here: counted, and held against the sum that the server has of them.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Client } from '../../client/client.ts';
import { errorCode } from '../../lib/error-code.ts';
import { exitCodes, Refusal } from '../exit-code.ts';

export type Download = {
  /** What it may be saved as: one name, without folders. */
  readonly fileName: string;
  /** null: the server does not say. */
  readonly expectedBytes: number | null;
  /** Once. Ends with a Refusal where they are not what the server has. */
  readonly chunks: AsyncIterable<Uint8Array>;
  readonly received: () => { readonly sizeBytes: number; readonly sha256: string | null };
};

/** @throws ApiProblem, ServerUnreachable */
export async function startDownload(client: Client, id: string, signal?: AbortSignal): Promise<Download> {
  const response = await client.request('getArtifact', {
    path: { artifact_id: id },
    ...(signal && { signal }),
  });
  const { headers } = response;
  const [, expected] = /^(?:W\/)?"([0-9a-f]{64})"$/.exec(headers.get('etag') ?? '') ?? [];
  const length = headers.get('content-encoding') === null ? headers.get('content-length') : null;
  let sizeBytes = 0;
  let sha256: string | null = null;

  async function* chunks(): AsyncGenerator<Uint8Array, void> {
    const hash = createHash('sha256');
    for await (const chunk of bytesOf(response, { name: id, signal })) {
      hash.update(chunk);
      sizeBytes += chunk.length;
      yield chunk;
    }
    sha256 = hash.digest('hex');
    if (expected !== undefined && sha256 !== expected)
      throw new Refusal(`${id} came damaged: its sha256 is not the server's; try it again`, exitCodes.unreachable);
  }

  return {
    fileName: toFileName(headers.get('content-disposition') ?? '', id),
    expectedBytes: length === null ? null : Number(length),
    chunks: chunks(),
    received: () => ({ sizeBytes, sha256 }),
  };
}

/** Ends with a Refusal where the connection breaks. */
export async function* bytesOf(
  { body }: Pick<Response, 'body'>,
  { name, signal }: { readonly name: string; readonly signal: AbortSignal | undefined },
): AsyncGenerator<Uint8Array, void> {
  try {
    for await (const chunk of body ?? []) yield chunk;
  } catch (error) {
    if (signal?.aborted || !(error instanceof TypeError)) throw error;
    throw new Refusal(`${name} broke off on its way; try it again`, exitCodes.unreachable);
  }
}

/** Whoever serves it chooses no folder, and no hidden file. */
function toFileName(disposition: string, id: string): string {
  const [, encoded] = /filename\*=UTF-8''([^;]+)/i.exec(disposition) ?? [];
  const [, plain = ''] = /filename="([^"]*)"/i.exec(disposition) ?? [];
  return safeName(decoded(encoded) ?? plain) || safeName(id);
}

/** A name that is one of a file, whatever it was. */
function safeName(name: string): string {
  return name.replaceAll(/[/\\\p{Cc}\p{Cf}\u2028\u2029]/gu, '_').replace(/^\.+/, '_');
}

function decoded(text: string | undefined): string | undefined {
  try {
    return text && decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** To standard output. Who reads no further has enough. */
export async function writeOut({ chunks }: Download): Promise<void> {
  const { stdout } = process;
  let isGone = false;
  const leave = (error: Error): void => {
    isGone ||= errorCode(error) === 'EPIPE';
  };
  stdout.on('error', leave);
  try {
    for await (const chunk of chunks) {
      if (isGone) return;
      if (!stdout.write(chunk)) await Promise.race([once(stdout, 'drain'), once(stdout, 'close')]).catch(leave);
    }
  } finally {
    stdout.off('error', leave);
  }
}
