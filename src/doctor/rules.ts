// Names the rules of notifications that report no job, because no job matches their patterns.

import { type HostCheck, warn } from '../domain/host-check.ts';
import { type ChannelRule, matchesJob } from '../domain/notification.ts';

/** @param jobs the ids of all jobs; if there are no jobs, another check says why */
export function checkRules(rules: readonly ChannelRule[], jobs: readonly string[]): HostCheck[] {
  if (jobs.length === 0) return [];
  return rules.flatMap((rule, at) => {
    if (jobs.some((id) => rule.jobs.some((pattern) => matchesJob(pattern, id)))) return [];
    const detail = `no job matches \`jobs\` (${rule.jobs.join(', ')}) of notify.rules[${at}], so this rule reports nothing`;
    return [
      warn(
        'rules',
        detail,
        'correct the pattern in flwd.yaml, and restart the server; flwd jobs lists the ids of jobs',
      ),
    ];
  });
}
