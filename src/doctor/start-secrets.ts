// Names the secrets that runs of schedules, triggers and webhooks need, but that are not stored.

import { type Catalog, entryOrNone } from '../catalog/catalog.ts';
import { complain, type HostCheck } from '../domain/host-check.ts';
import type { JsonObject } from '../domain/job.ts';
import { neededSecrets } from '../engine/plan/needed-secrets.ts';
import { listSome } from '../lib/list-some.ts';

/** What starts runs of a job with these arguments. */
export type Start = {
  readonly kind: 'schedule' | 'trigger' | 'webhook';
  readonly jobId: string;
  readonly tenant: string;
  readonly args: JsonObject;
};

/** @param o.stored each secret is written as tenant and name, with a space between them */
export function checkSecrets(
  starts: readonly Start[],
  o: { readonly catalog: Catalog; readonly stored: ReadonlySet<string>; readonly defaultTenant: string },
): HostCheck[] {
  const users = new Map<string, Set<string>>();
  for (const { kind, jobId, tenant, args } of starts) {
    const entry = entryOrNone(jobId, o.catalog);
    for (const name of entry ? neededSecrets(entry, args, o.catalog) : []) {
      const key = `${tenant} ${name}`;
      if (!o.stored.has(key)) users.set(key, (users.get(key) ?? new Set()).add(`${jobId} (${kind})`));
    }
  }
  const complaints = [...users].map(([key, starters]) => {
    const [tenant, name] = key.split(' ');
    const [where, option] = tenant === o.defaultTenant ? ['', ''] : [` in the tenant ${tenant}`, ` --tenant ${tenant}`];
    const what = `${name} is not stored${where}, so runs will fail: ${listSome([...starters])}`;
    return { what, fix: `flwd secrets set ${name}${option}` };
  });
  return complain('secrets', complaints);
}
