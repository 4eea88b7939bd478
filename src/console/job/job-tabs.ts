// The parts of a job that its page shows. The URL names one.

export const jobTabs = ['run', 'runs', 'graph', 'code', 'tests', 'schedules', 'statistics'] as const;
export type JobTab = (typeof jobTabs)[number];
