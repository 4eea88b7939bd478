// Reads the bytes of an artifact. Damaged bytes are never sent as if they were whole: small files are checked before
// the answer begins, and large files while they are sent.

import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { Problem } from '../../domain/problem.ts';
import type { Logger } from '../../lib/logger.ts';
import { isUnreadable } from '../../lib/shortage.ts';
import type { ArtifactReading } from '../../store/reading.ts';
import type { ByteRange } from '../answers/byte-range.ts';

type Stored = Awaited<ReturnType<ArtifactReading['get']>>;

/** @returns undefined if the file is gone @throws Problem artifact-damaged */
export type ReadContent = (
  artifact: Stored,
  range: ByteRange,
  isHead: boolean,
) => Promise<Buffer | Readable | undefined>;

/** A file of this size is read in a moment, so it can be checked before the answer begins. */
const checkedFirstBytes = 2 ** 20;

export function createContentReader(o: { readonly artifacts: ArtifactReading; readonly log: Logger }): ReadContent {
  function damaged({ id }: Stored, error?: unknown): Problem {
    o.log.error({ artifact: id, err: error }, 'the file of an artifact is damaged');
    return new Problem('artifact-damaged', `The file of the artifact '${id}' is damaged.`);
  }

  async function readWhole(file: FileHandle, artifact: Stored): Promise<Buffer> {
    const { size_bytes: size, sha256 } = artifact;
    const bytes = Buffer.allocUnsafe(size);
    const { bytesRead } = await file.read(bytes, 0, size, 0);
    if (bytesRead !== size || createHash('sha256').update(bytes).digest('hex') !== sha256) throw damaged(artifact);
    return bytes;
  }

  /**
   * Holds back the last chunk until all bytes have been verified, so that a client that counts bytes notices a damaged
   * file.
   */
  async function* checked(source: Readable, artifact: Stored, range: ByteRange): AsyncGenerator<Buffer> {
    const isWhole = range.start === 0 && range.end === artifact.size_bytes - 1;
    const hash = createHash('sha256');
    let leftBytes = range.end - range.start + 1;
    let held: Buffer | undefined;
    try {
      for await (const chunk of source) {
        if (held) yield held;
        held = chunk;
        leftBytes -= chunk.length;
        if (isWhole) hash.update(chunk);
      }
    } catch (error) {
      throw isUnreadable(error) ? damaged(artifact, error) : error;
    }
    if (leftBytes !== 0 || (isWhole && hash.digest('hex') !== artifact.sha256)) throw damaged(artifact);
    if (held) yield held;
  }

  async function read(artifact: Stored, range: ByteRange, isHead: boolean): Promise<Buffer | Readable | undefined> {
    const file = await o.artifacts.openRead(artifact);
    if (!file) return undefined;
    const size = artifact.size_bytes;
    let isStreamed = false;
    try {
      if ((await file.stat()).size !== size) throw damaged(artifact);
      if (isHead) return Readable.from([]);
      if (size <= checkedFirstBytes) return (await readWhole(file, artifact)).subarray(range.start, range.end + 1);
      isStreamed = true;
    } finally {
      if (!isStreamed) await file.close();
    }
    // The stream is opened here and not in the generator. If the answer is dropped at once, the generator never runs,
    // and would not close anything.
    const source = file.createReadStream(range);
    const content = Readable.from(checked(source, artifact, range), { objectMode: false });
    return content.once('close', () => source.destroy());
  }

  return async (artifact, range, isHead) => {
    try {
      return await read(artifact, range, isHead);
    } catch (error) {
      throw isUnreadable(error) ? damaged(artifact, error) : error;
    }
  };
}
