// The operations of artifacts, a part of the table in operations.ts, and their shapes.

import { Type } from 'typebox';
import { nullable, timestamp } from './basics.ts';
import { closed, page, text } from './operation-parts.ts';
import { routes } from './routes.ts';

const bytes = Type.Unsafe<Uint8Array>({ type: 'string', format: 'binary' });

const artifact = Type.Object(
  {
    id: Type.String(),
    run_id: Type.String(),
    name: Type.String(),
    path: Type.String({ description: 'The logical path, `/workspace/…`; never the host’s.' }),
    media_type: Type.String(),
    size_bytes: Type.Integer(),
    created_at: timestamp,
    sha256: Type.String(),
    step_id: nullable(
      Type.String({
        description:
          'The step that named the file, or alone ran while it changed last; null where that cannot be told.',
      }),
    ),
    job_id: Type.String(),
    tenant: Type.String(),
    expires_at: nullable(timestamp),
  },
  { $id: 'Artifact' },
);

const artifactList = Type.Object(
  { artifacts: Type.Array(artifact), total: Type.Integer(), next_cursor: nullable(Type.String()) },
  { $id: 'ArtifactList' },
);

export const artifactOperations = {
  listArtifacts: {
    ...routes.listArtifacts,
    tag: 'Artifacts',
    summary: 'List artifacts, newest first',
    scope: 'artifacts:read',
    query: Type.Object(
      {
        run_id: text('Artifacts of this run'),
        job_id: text('Artifacts of this job’s runs'),
        name: text('Artifacts of this name'),
        ...page('Rows at most; 1000 without it'),
      },
      closed,
    ),
    answers: [{ status: 200, description: 'Artifacts', content: { 'application/json': artifactList } }],
    problems: ['validation-error'],
  },
  getArtifact: {
    ...routes.getArtifact,
    tag: 'Artifacts',
    summary: 'Download an artifact',
    scope: 'artifacts:read',
    headers: { 'If-None-Match': 'An ETag; 304 when nothing changed', Range: 'One range of bytes' },
    answers: [
      { status: 200, description: 'The bytes', content: { '*/*': bytes } },
      { status: 206, description: 'The range', content: { '*/*': bytes } },
    ],
    problems: ['artifact-not-found', 'artifact-gone', 'range-not-satisfiable', 'artifact-damaged'],
  },
} as const;
