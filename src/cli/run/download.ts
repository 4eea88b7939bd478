// Downloads an artifact, counts its bytes and compares its checksum with the server's.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Client } from '../../client/client.ts';
import { errorCode } from '../../lib/error-code.ts';
import { exitCodes, Refusal } from '../exit-code.ts';

export type Download = Awaited<ReturnType<typeof startDownload>>;

/** @throws ApiProblem, ServerUnreachable */
export async function startDownload(client: Client, id: string, signal?: AbortSignal) {
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
      throw new Refusal(
        `${id} arrived damaged: its SHA-256 differs from the server's; try again`,
        exitCodes.unreachable,
      );
  }

  return {
    /** The name of the file to save, without folders. */
    fileName: toFileName(headers.get('content-disposition') ?? '', id),
    /** null: the server did not send a size. */
    expectedBytes: length === null ? null : Number(length),
    /**
     * The content, which can be read only once. Reading ends with a Refusal if the bytes differ from the server's
     * checksum.
     */
    chunks: chunks(),
    received: () => ({ sizeBytes, sha256 }),
  };
}

/** Ends with a Refusal if the connection breaks. */
export async function* bytesOf(
  { body }: Pick<Response, 'body'>,
  { name, signal }: { readonly name: string; readonly signal: AbortSignal | undefined },
): AsyncGenerator<Uint8Array, void> {
  try {
    for await (const chunk of body ?? []) yield chunk;
  } catch (error) {
    if (signal?.aborted || !(error instanceof TypeError)) throw error;
    throw new Refusal(`the connection broke while ${name} was downloaded; try again`, exitCodes.unreachable);
  }
}

/** The server cannot choose a folder or a hidden file. */
function toFileName(disposition: string, id: string): string {
  const [, encoded] = /filename\*=UTF-8''([^;]+)/i.exec(disposition) ?? [];
  const [, plain = ''] = /filename="([^"]*)"/i.exec(disposition) ?? [];
  return safeName(decoded(encoded) ?? plain) || safeName(id);
}

/** Turns any text into the name of a file. */
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

/** Writes to standard output. A reader that stops reading, such as `head`, ends the download. */
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
