// The groups of operations, in the order in which the documentation shows them.

export const tags = {
  Jobs: 'What can be run: jobs as the sources describe them, with the schema of their arguments.',
  Runs: 'Executions of jobs: start, plan, watch, cancel and repeat them, read their logs, decide on approvals.',
  Events: 'What happens to runs, as server-sent events or JSON lines.',
  Schedules: 'When jobs start by themselves, and when they will next.',
  Secrets: 'Values that are stored for jobs of a tenant and that nobody can read back.',
  Artifacts: 'Files that runs have left, with their checksums.',
  Tokens: 'The API tokens of callers: their scopes, tenant and end.',
  Audit: 'Who did what: a record that shows it when somebody changes it.',
  System: 'How this instance is, what it is set up to do, and what its host can enforce.',
} as const;

export type Tag = keyof typeof tags;
