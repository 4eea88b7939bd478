// Lists artifacts, and sends the bytes of an artifact. Jobs are not trusted: a browser may save what they made, but not
// run it.

import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { isMediaType } from '../../domain/media-type.ts';
import { Problem } from '../../domain/problem.ts';
import { defined } from '../../lib/defined.ts';
import type { Logger } from '../../lib/logger.ts';
import type { ArtifactReading } from '../../store/reading.ts';
import { parseRange } from '../answers/byte-range.ts';
import { attachment } from '../answers/content-disposition.ts';
import { revalidated } from '../answers/response-headers.ts';
import { isUnchanged } from '../answers/stored-answer.ts';
import type { Handlers } from '../exchange.ts';
import { createContentReader } from './artifact-content.ts';

const pageArtifacts = 1000;

export function createArtifactHandlers(o: {
  readonly artifacts: ArtifactReading;
  readonly jobIdOf: (idOrAlias: string) => string;
  /** A reader that receives nothing for this long is disconnected. */
  readonly stallMs: number;
  readonly log: Logger;
}): Pick<Handlers, 'listArtifacts' | 'getArtifact'> {
  const { artifacts } = o;
  const readContent = createContentReader(o);

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
        removeContentHeaders(reply);
        reply.header('accept-ranges', 'bytes').header('content-range', `bytes */${size}`);
        throw new Problem('range-not-satisfiable', `The artifact has ${size} bytes.`);
      }
      const { start, end } = range ?? { start: 0, end: size - 1 };
      let content: Buffer | Readable | undefined;
      try {
        content = await readContent(artifact, { start, end }, request.method === 'HEAD');
        if (!content) throw gone(id);
      } catch (error) {
        removeContentHeaders(reply);
        throw error;
      }
      if (range) reply.code(206).header('content-range', `bytes ${start}-${end}/${size}`);
      reply.raw.setHeader('Content-Security-Policy', 'sandbox');
      reply
        .header('content-disposition', attachment(artifact.name))
        .header('content-length', end - start + 1)
        .type(isMediaType(artifact.media_type) ? artifact.media_type : 'application/octet-stream');
      reply.raw.setTimeout(o.stallMs);
      // Until the first byte is sent, the answer can still become a problem document.
      if (content instanceof Readable) content.once('error', () => removeContentHeaders(reply));
      return reply.send(content);
    },
  };
}

/** Removes the headers that describe the bytes. A problem document is sent instead of the bytes. */
function removeContentHeaders(reply: FastifyReply): void {
  for (const name of ['etag', 'accept-ranges', 'content-range', 'content-disposition']) reply.removeHeader(name);
}

function gone(id: string): Problem {
  return new Problem('artifact-gone', `The artifact '${id}' has expired or was removed.`);
}
