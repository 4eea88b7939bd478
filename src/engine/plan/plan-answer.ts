// Builds the answer of POST /plans: what the run would be, and why it would wait or be refused.

import type { Catalog } from '../../catalog/catalog.ts';
import { inGraphOrder } from '../../catalog/job/step-graph.ts';
import { networkReach } from '../../domain/network-reach.ts';
import { holdsScope, type Principal } from '../../domain/principal.ts';
import { problemType } from '../../domain/problem.ts';
import { formatDurationOrNull } from '../../lib/units.ts';
import { onConflictOf } from '../add-run.ts';
import type { Queue } from '../queue/queue.ts';
import { asksPerson, withAgentApproval } from './agent-approval.ts';
import type { GroundedPlan } from './ground.ts';
import { hiddenPaths } from './hidden-paths.ts';
import { missingStepSecrets } from './needed-secrets.ts';
import type { SecretLookup } from './secret-references.ts';
import { unusableGrants } from './unusable-grants.ts';

export type PlanAnswer = Awaited<ReturnType<typeof answerPlan>>;

export async function answerPlan(
  plan: GroundedPlan,
  o: {
    readonly catalog: Catalog;
    readonly queue: Queue;
    readonly trustsJobs: boolean;
    /** The names of the channels in flwd.yaml. */
    readonly channels?: readonly string[];
    readonly by: Principal;
    readonly tenant: string;
    readonly storedSecret: SecretLookup;
  },
) {
  const { catalog, queue, channels = [] } = o;
  const { definition: job } = plan.entry;
  const outlook = await queue.outlook(plan.group, onConflictOf(plan));
  const denied = plan.denied ?? outlook.refused;
  const steps = asksPerson(o.by, job) ? withAgentApproval(job.steps, o.by.name) : job.steps;
  const maySeeSecrets = !denied && holdsScope(o.by, 'runs:write');
  return {
    job_id: job.id,
    args: plan.args,
    executor: job.executor,
    steps: inGraphOrder(steps).map(({ id, needs }) => ({ step_id: id, needs })),
    security: { profile: plan.profile, isolation: plan.isolation },
    limits: plan.limits,
    grants: plan.grants,
    unusable_grants: await unusableGrants(plan),
    hidden_paths: hiddenPaths(plan),
    network_reach: networkReach(plan.network, plan.profile, o.trustsJobs),
    secrets: plan.entry.definition.secretArgs.filter((name) => Object.hasOwn(plan.args, name)),
    stored_secrets: plan.storedSecrets,
    missing_step_secrets: maySeeSecrets ? await missingStepSecrets(plan.entry, o.tenant, o) : [],
    missing_channels: job.notify.flatMap(({ channel }) =>
      channel === undefined || channels.includes(channel) ? [] : [channel],
    ),
    timeouts: {
      run: formatDurationOrNull(plan.runTimeoutMs),
      step: formatDurationOrNull(job.timeouts.stepMs),
      queue: formatDurationOrNull(job.timeouts.queueMs),
    },
    revision: await catalog.revisionOf(plan.entry),
    waiting: outlook.waiting,
    denied: denied ? { type: problemType(denied.slug), detail: denied.message } : null,
  };
}
