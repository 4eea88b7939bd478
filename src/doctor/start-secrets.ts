// Names the secrets that are not stored, but that heartbeats or runs of schedules, triggers and webhooks need.

import { type Catalog, entryOrNone } from '../catalog/catalog.ts';
import { type Complaint, complain, type HostCheck } from '../domain/host-check.ts';
import type { JsonObject } from '../domain/job.ts';
import { type StoredText, secretsIn } from '../domain/notification.ts';
import { neededSecrets } from '../engine/plan/needed-secrets.ts';
import { listSome } from '../lib/list-some.ts';

/** What starts runs of a job with these arguments. */
export type Start = {
  readonly kind: 'schedule' | 'trigger' | 'webhook';
  readonly jobId: string;
  readonly tenant: string;
  readonly args: JsonObject;
  readonly heartbeat?: StoredText | undefined;
};

type Where = {
  readonly catalog: Catalog;
  /** Each secret is written as tenant and name, with a space between them. */
  readonly stored: ReadonlySet<string>;
  readonly defaultTenant: string;
};

export function checkSecrets(starts: readonly Start[], o: Where): HostCheck[] {
  const ofRuns = starts.flatMap((start) => {
    const entry = entryOrNone(start.jobId, o.catalog);
    const names = entry ? [...neededSecrets(entry, start.args, o.catalog)] : [];
    return names.map((name) => ({ ...start, name, user: `${start.jobId} (${start.kind})` }));
  });
  const ofHeartbeats = starts.flatMap((start) =>
    secretsIn([start.heartbeat ?? null]).map((name) => ({ ...start, name, user: start.jobId })),
  );
  return complain('secrets', [
    ...complaintsAbout(ofRuns, 'runs will fail', o),
    ...complaintsAbout(ofHeartbeats, 'heartbeats cannot be called', o),
  ]);
}

type Use = { readonly tenant: string; readonly name: string; readonly user: string };

function complaintsAbout(uses: readonly Use[], effect: string, o: Where): Complaint[] {
  const missing = uses.filter(({ tenant, name }) => !o.stored.has(`${tenant} ${name}`));
  const bySecret = Map.groupBy(missing, ({ tenant, name }) => `${tenant} ${name}`);
  return [...bySecret].map(([key, users]) => {
    const [tenant, name] = key.split(' ');
    const [where, option] = tenant === o.defaultTenant ? ['', ''] : [` in the tenant ${tenant}`, ` --tenant ${tenant}`];
    const named = listSome([...new Set(users.map(({ user }) => user))]);
    return { what: `${name} is not stored${where}, so ${effect}: ${named}`, fix: `flwd secrets set ${name}${option}` };
  });
}
