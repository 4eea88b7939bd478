// Artifacts: the list, and the bytes of one. What a job made is never trusted: a browser may save it, not run it.

import { Readable } from 'node:stream';
import { isMediaType } from '../../domain/media-type.ts';
import { Problem } from '../../domain/problem.ts';
import type { ArtifactReading } from '../../store/reading.ts';
import { parseRange } from '../byte-range.ts';
import { attachment } from '../content-disposition.ts';
import { defined } from '../defined.ts';
import type { Handlers } from '../exchange.ts';
import { revalidated } from '../response-headers.ts';
import { isUnchanged } from '../stored-answer.ts';

const pageArtifacts = 1000;

export function createArtifactHandlers(o: {
  readonly artifacts: ArtifactReading;
  readonly jobIdOf: (idOrAlias: string) => string;
  /** A reader that takes nothing for this long is disconnected. */
  readonly stallMs: number;
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
      const file = await artifacts.openRead(artifact);
      if (!file) throw gone(id);
      const { start, end } = range ?? { start: 0, end: size - 1 };
      if (range) reply.code(206).header('content-range', `bytes ${start}-${end}/${size}`);
      reply.raw.setHeader('Content-Security-Policy', 'sandbox');
      reply
        .header('content-disposition', attachment(artifact.name))
        .header('content-length', end - start + 1)
        .type(isMediaType(artifact.media_type) ? artifact.media_type : 'application/octet-stream');
      if (request.method === 'HEAD' || size === 0) {
        await file.close();
        return reply.send(Readable.from([]));
      }
      reply.raw.setTimeout(o.stallMs);
      return reply.send(file.createReadStream({ start, end }));
    },
  };
}

function gone(id: string): Problem {
  return new Problem('artifact-gone', `The artifact '${id}' has expired or was removed.`);
}
