// Artifacts: the list, and the bytes of one. What a job made is never trusted: a browser may save it, not run it.

import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { isMediaType } from '../../domain/media-type.ts';
import { Problem } from '../../domain/problem.ts';
import type { Logger } from '../../lib/logger.ts';
import { isUnreadable } from '../../lib/shortage.ts';
import type { ArtifactReading } from '../../store/reading.ts';
import { parseRange } from '../answers/byte-range.ts';
import { attachment } from '../answers/content-disposition.ts';
import { defined } from '../answers/defined.ts';
import { revalidated } from '../answers/response-headers.ts';
import { isUnchanged } from '../answers/stored-answer.ts';
import type { Handlers } from '../exchange.ts';

const pageArtifacts = 1000;

export function createArtifactHandlers(o: {
  readonly artifacts: ArtifactReading;
  readonly jobIdOf: (idOrAlias: string) => string;
  /** A reader that takes nothing for this long is disconnected. */
  readonly stallMs: number;
  readonly log: Logger;
}): Pick<Handlers, 'listArtifacts' | 'getArtifact'> {
  const { artifacts } = o;

  return {
    async listArtifacts({ request, query }) {
      const { run_id: runId, job_id: jobId, limit = pageArtifacts, ...rest } = query;
      const filter = defined({ ...rest, runId, jobId: jobId === undefined ? undefined : o.jobIdOf(jobId) });
      const page = await artifacts.list({ limit, ...filter }, request.principal);
      return { artifacts: page.artifacts, total: page.total, next_cursor: page.nextCursor };
    },

    async getArtifact({ request, reply, path }) {
      const id = path.artifact_id;
      const artifact = await artifacts.get(id, request.principal);
      if (artifact.gone) throw gone(id);
      const etag = `"${artifact.sha256}"`;
      reply.header('etag', etag).header('cache-control', revalidated).header('accept-ranges', 'bytes');
      if (isUnchanged(request, etag)) return reply.code(304).send();

      const { range: asked, 'if-range': ifRange } = request.raw.headers;
      const size = artifact.size_bytes;
      const range = ifRange === undefined || ifRange === etag ? parseRange(asked, size) : undefined;
      if (range === 'unsatisfiable') {
        reply.header('content-range', `bytes */${size}`);
        throw new Problem('range-not-satisfiable', `The artifact has ${size} bytes.`);
      }
      const { start, end } = range ?? { start: 0, end: size - 1 };
      let content: Buffer | Readable | undefined;
      try {
        content = await contentOf(artifact, { start, end }, request.method === 'HEAD');
      } catch (error) {
        withdraw(reply);
        throw isUnreadable(error) ? damaged(id, error) : error;
      }
      if (!content) throw gone(id);
      if (range) reply.code(206).header('content-range', `bytes ${start}-${end}/${size}`);
      reply.raw.setHeader('Content-Security-Policy', 'sandbox');
      reply
        .header('content-disposition', attachment(artifact.name))
        .header('content-length', end - start + 1)
        .type(isMediaType(artifact.media_type) ? artifact.media_type : 'application/octet-stream');
      reply.raw.setTimeout(o.stallMs);
      // Before the first byte the answer becomes a problem.
      if (content instanceof Readable) content.once('error', () => withdraw(reply));
      return reply.send(content);
    },
  };

  /** The bytes of a range, as right as can be told before the answer begins; undefined when the file is gone. */
  async function contentOf(artifact: Stored, range: Range, isHead: boolean): Promise<Buffer | Readable | undefined> {
    const { id, size_bytes: size } = artifact;
    const file = await artifacts.openRead(artifact);
    if (!file) return undefined;
    let isStreamed = false;
    try {
      if ((await file.stat()).size !== size) throw damaged(id);
      if (isHead) return Readable.from([]);
      if (size <= firstReadBytes) return (await readWhole(file, artifact)).subarray(range.start, range.end + 1);
      isStreamed = true;
    } finally {
      if (!isStreamed) await file.close();
    }
    // Made here: a generator whose answer is dropped before the first read never runs, and would not close the file.
    const source = file.createReadStream(range);
    const content = Readable.from(checked(source, artifact, range), { objectMode: false });
    return content.once('close', () => source.destroy());
  }

  async function readWhole(file: FileHandle, { id, size_bytes: size, sha256 }: Stored): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(size);
    const { bytesRead } = await file.read(bytes, 0, size, 0);
    if (bytesRead !== size || createHash('sha256').update(bytes).digest('hex') !== sha256) throw damaged(id);
    return bytes;
  }

  function damaged(id: string, error?: unknown): Problem {
    o.log.error({ artifact: id, err: error }, 'the file of an artifact is damaged');
    return new Problem('artifact-damaged', `The file of the artifact '${id}' is damaged.`);
  }

  /** The bytes of a range. The last of them come once all are known to be right: whoever counts them finds some missing. */
  async function* checked(
    source: Readable,
    { id, size_bytes: size, sha256 }: Stored,
    range: Range,
  ): AsyncGenerator<Buffer> {
    const isWhole = range.start === 0 && range.end === size - 1;
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
      throw isUnreadable(error) ? damaged(id, error) : error;
    }
    if (leftBytes !== 0 || (isWhole && hash.digest('hex') !== sha256)) throw damaged(id);
    if (held) yield held;
  }
}

type Stored = { readonly id: string; readonly size_bytes: number; readonly sha256: string };
type Range = { readonly start: number; readonly end: number };

/** A file that is read in a moment is read before the answer begins. */
const firstReadBytes = 2 ** 20;

/** What was said of the bytes, which do not come. */
function withdraw(reply: FastifyReply): void {
  for (const name of ['etag', 'accept-ranges', 'content-range', 'content-disposition']) reply.removeHeader(name);
}

function gone(id: string): Problem {
  return new Problem('artifact-gone', `The artifact '${id}' has expired or was removed.`);
}
