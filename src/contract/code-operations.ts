// The operations that show the files of a job, and their schemas.

import { Type } from 'typebox';
import { routes } from './routes.ts';
import { json, named, nullable, queryOf, timestamp } from './schema-parts.ts';

const revision = Type.Optional(
  Type.String({
    pattern: '^[0-9a-f]{16}$',
    description:
      'Show the files as they were in this revision, which one of the job’s last 100 runs must have used; by default, as they are now',
  }),
);

const jobFiles = named('JobFiles', {
  job_id: Type.String(),
  revision: Type.String({ description: 'The revision of these files' }),
  current_revision: Type.String(),
  files: Type.Array(
    Type.Object({
      path: Type.String({ description: 'The path, relative to the job’s folder' }),
      size_bytes: Type.Integer(),
      executable: Type.Boolean(),
      sha256: Type.String({ description: 'The SHA-256 of its content, in hex' }),
    }),
    { description: 'Sorted by path' },
  ),
  revisions: Type.Array(
    Type.Object({
      revision: Type.String(),
      run_id: Type.String({ description: 'The newest run that used this revision' }),
      used_at: timestamp,
      kept: Type.Boolean({ description: 'Whether flwd still has a copy of this revision' }),
    }),
    {
      description:
        'The revisions that the last 100 runs of the job used, newest first; empty if the caller lacks `runs:read`',
    },
  ),
});

const jobFile = named('JobFile', {
  job_id: Type.String(),
  revision: Type.String(),
  path: Type.String(),
  size_bytes: Type.Integer(),
  executable: Type.Boolean(),
  text: nullable(Type.String()),
  omitted: nullable(
    Type.Enum(['binary', 'too_large'], {
      description: 'Why there is no text: the file is not UTF-8, or larger than 1 MiB',
    }),
  ),
});

export const codeOperations = {
  listJobFiles: {
    ...routes.listJobFiles,
    tag: 'Jobs',
    summary: 'List the files of a job, and the revisions that its last runs used',
    scope: 'code:read',
    query: queryOf({ revision }),
    answers: [json(200, jobFiles, 'The files')],
    problems: ['validation-error', 'job-not-found', 'job-invalid', 'revision-expired'],
  },
  getJobFile: {
    ...routes.getJobFile,
    tag: 'Jobs',
    summary: 'Read a file of a job as text',
    scope: 'code:read',
    query: queryOf({
      path: Type.String({ minLength: 1, maxLength: 4096, description: 'One of the paths in the list of files' }),
      revision,
    }),
    answers: [json(200, jobFile, 'The file; references to secrets are shown as they are written')],
    problems: ['validation-error', 'job-not-found', 'job-invalid', 'revision-expired', 'job-file-not-found'],
  },
} as const;
