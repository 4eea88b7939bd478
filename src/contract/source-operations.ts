// The operations on the sources of jobs, and their schemas.

import { Type } from 'typebox';
import { routes } from './routes.ts';
import { json, named, nullable } from './schema-parts.ts';

const names = (description: string) => Type.Array(Type.String(), { description });

const mayUse = {
  secrets: names('The stored secrets that its jobs may use'),
  schedules: Type.Boolean(),
  webhooks: Type.Boolean({ description: 'Whether deliveries of other services may start its jobs' }),
  notify: Type.Boolean({ description: 'Whether its jobs may notify other services' }),
  calls: Type.Union([Type.Enum(['own', 'all']), names('The names of sources')], {
    description: 'The sources whose jobs its jobs may start',
  }),
  triggers: Type.Union([Type.Enum(['own', 'all']), names('The names of sources')], {
    description: 'The sources whose jobs its jobs may follow with a trigger',
  }),
  kv: names('The namespaces of the key-value store that its jobs may use, besides each job’s own'),
};

const source = named('Source', {
  name: Type.String(),
  type: Type.String(),
  path: Type.Optional(Type.String({ description: 'Absent if the caller does not have `admin` of all tenants' })),
  mount_path: Type.String({ description: 'The prefix of the ids of its jobs; `.` means no prefix' }),
  watch: Type.Boolean({ description: 'Whether flwd watches the folder, and so notices changes at once' }),
  trusted: Type.Boolean(),
  may_use: nullable(
    Type.Object(mayUse, { description: 'What the jobs of an untrusted source may use; null: the source is trusted' }),
  ),
  jobs: Type.Integer(),
  invalid: Type.Integer({ description: 'How many jobs have errors' }),
  is_missing: Type.Boolean({
    description:
      'Whether its folder is missing or cannot be read, or an empty folder is in its place; the source has no jobs until its folder is back',
  }),
});

const sourceList = named('SourceList', { sources: Type.Array(source) });

export const sourceOperations = {
  listSources: {
    ...routes.listSources,
    tag: 'Sources',
    summary: 'List the sources of jobs',
    scope: 'sources:read',
    answers: [json(200, sourceList, 'Sources, in the order of flwd.yaml')],
    problems: ['not-ready'],
  },
  getSource: {
    ...routes.getSource,
    tag: 'Sources',
    summary: 'Get a source',
    scope: 'sources:read',
    answers: [json(200, source, 'The source')],
    problems: ['source-not-found', 'not-ready'],
  },
  syncSource: {
    ...routes.syncSource,
    tag: 'Sources',
    summary: 'Read a source again now, even if it is not watched',
    scope: 'sources:write',
    isInstanceWide: true,
    answers: [json(200, source, 'The source as it is now')],
    problems: ['source-not-found', 'not-ready'],
    audit: null,
  },
} as const;
