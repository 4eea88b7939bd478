// The groups of operations, in the order of the documentation.

export const tags = {
  Jobs: 'The jobs that the sources define, with the schema of their arguments.',
  Sources: 'The folders in which jobs are found.',
  Runs: 'Executions of jobs: start, plan, watch, cancel and repeat them, read their logs, and decide approvals.',
  Events: 'Everything that happens to runs, as server-sent events or JSON lines.',
  Schedules: 'When jobs start by themselves, and when they start next.',
  Webhooks: 'How other services start jobs, and what became of their deliveries.',
  Notifications: 'Where messages about runs go, and whether they arrive.',
  Triggers: 'How jobs start when runs of other jobs end, and what became of it.',
  Secrets: 'Values stored for the jobs of a tenant; nobody can read them back.',
  'Key-value store': 'What jobs keep for their later runs: small values by namespace and key.',
  Artifacts: 'Files that runs produced, with their checksums.',
  Statistics: 'How many runs ended and how, and how long they took, by hour, day, job and tenant.',
  Tokens: 'API tokens, with their scopes, tenant and expiry.',
  Audit: 'Who did what, in a log that shows when somebody has tampered with it.',
  System: 'The health and configuration of this instance, and what its host can enforce.',
} as const;

export type Tag = keyof typeof tags;
