// The groups of operations, in the order of the documentation.

export const tags = {
  Jobs: 'The jobs that the sources define, with the schema of their arguments.',
  Sources: 'The folders in which flwd finds jobs.',
  Runs: 'Executions of jobs: plan, start, watch, cancel and rerun them, read their logs, and answer approvals.',
  Events: 'Everything that happens to runs, as server-sent events or JSON lines.',
  Schedules: 'When flwd starts jobs by itself: schedules, their next times, and backfills.',
  Webhooks: 'The addresses at which other services start jobs, and the deliveries of these services.',
  Notifications: 'The channels to which flwd sends messages about runs, and whether the messages arrive.',
  Triggers:
    'What starts a job after a run of another job, for a new file, or when a check finds something, and the results.',
  Secrets: 'Secret values for the jobs of a tenant. The API never shows a value.',
  'Key-value store': 'Small values that jobs store for their later runs, each with a namespace and a key.',
  Artifacts: 'Files that runs produced, with their checksums.',
  Statistics: 'How many runs ended, how they ended, and how long they took: by hour, day, job and tenant.',
  Tokens: 'API tokens, with their scopes, tenant and expiry.',
  Audit: 'Who did what, in a log that shows when somebody has tampered with it.',
  System: 'The health and configuration of this instance, and what its host can enforce.',
} as const;

export type Tag = keyof typeof tags;
