// The tabs of a job's page. The URL names the selected tab.

export const jobTabs = ['run', 'runs', 'graph', 'code', 'tests', 'schedules', 'statistics'] as const;
export type JobTab = (typeof jobTabs)[number];
