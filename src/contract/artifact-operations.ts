// The operations on artifacts, and their schemas.

import { Type } from 'typebox';
import { routes } from './routes.ts';
import { ifNoneMatch, named, nullable, page, queryOf, text, textOrNull, timestamp, unchanged } from './schema-parts.ts';

const bytes = Type.Unsafe<Uint8Array>({ type: 'string', format: 'binary' });

/** The headers of an answer that contains the bytes of a file. */
const fileHeaders = ['ETag', 'Accept-Ranges', 'Content-Disposition'] as const;

const artifact = named('Artifact', {
  id: Type.String(),
  run_id: Type.String(),
  name: Type.String(),
  path: Type.String({ description: 'The path inside the run, such as `/workspace/…`; never a path on the host' }),
  media_type: Type.String(),
  size_bytes: Type.Integer(),
  created_at: timestamp,
  sha256: Type.String(),
  step_id: textOrNull(
    'The step that named the file as an artifact, or the only step that was running when the file last changed; null: unknown',
  ),
  job_id: Type.String(),
  tenant: Type.String(),
  expires_at: nullable(timestamp),
});

const artifactList = named('ArtifactList', {
  artifacts: Type.Array(artifact),
  total: Type.Integer(),
  next_cursor: nullable(Type.String()),
});

export const artifactOperations = {
  listArtifacts: {
    ...routes.listArtifacts,
    tag: 'Artifacts',
    summary: 'List artifacts, newest first',
    scope: 'artifacts:read',
    query: queryOf({
      run_id: text('Only artifacts of this run'),
      job_id: text('Only artifacts of runs of this job'),
      name: text('Only artifacts with this name'),
      ...page('How many artifacts to return at most; 1000 by default'),
    }),
    answers: [{ status: 200, description: 'Artifacts', content: { 'application/json': artifactList } }],
    problems: ['validation-error'],
  },
  getArtifact: {
    ...routes.getArtifact,
    tag: 'Artifacts',
    summary: 'Download an artifact',
    scope: 'artifacts:read',
    headers: {
      ...ifNoneMatch,
      Range: 'One range of bytes, such as `bytes=0-1023`',
      'If-Range': 'An ETag; if the artifact has another one, the answer has all bytes',
    },
    answers: [
      { status: 200, description: 'The bytes', content: { '*/*': bytes }, headers: fileHeaders },
      {
        status: 206,
        description: 'The bytes of the range',
        content: { '*/*': bytes },
        headers: [...fileHeaders, 'Content-Range'],
      },
      unchanged(['ETag', 'Accept-Ranges']),
    ],
    problems: ['artifact-not-found', 'artifact-gone', 'range-not-satisfiable', 'artifact-damaged'],
  },
} as const;
