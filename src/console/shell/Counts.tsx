// The numbers beside the names of pages.

import type { ReactNode } from 'react';
import { useOwnApprovalCount } from '../approvals/waiting-approvals.ts';
import { Badge } from '../design/text/Chip.tsx';
import { useUnfixedCount } from '../failures/unfixed-count.ts';
import { useUnderWay, useUnderWayEvents } from '../runs/under-way.ts';
import { useScopes } from '../session/scopes.ts';
import { countWords } from '../words.ts';

/** The number beside the name of a page, or nothing. A collapsed sidebar has room only for the number of approvals. */
export function Count(o: { readonly href: string; readonly isAboveIcon: boolean }): ReactNode {
  const { href, isAboveIcon } = o;
  if (href === '/runs') return isAboveIcon ? null : <Running />;
  if (href === '/failures') return isAboveIcon ? null : <Failures />;
  return href === '/approvals' ? <Approvals /> : null;
}

function Running(): ReactNode {
  const enabled = useScopes()('runs:read') === true;
  useUnderWayEvents('running');
  const { data } = useUnderWay('running', { enabled });
  if (!data) return null;
  // A run that waits for an approval is counted at the page of approvals.
  const count = data.total - data.runs.filter((run) => run.waiting_approval.length > 0).length;
  if (count === 0) return null;
  return (
    <Badge>
      {countWords(count)}
      <span className="unseen"> running</span>
    </Badge>
  );
}

function Approvals(): ReactNode {
  const count = useOwnApprovalCount();
  if (count === 0) return null;
  return (
    <Badge look="approval">
      {countWords(count)}
      <span className="unseen"> waiting</span>
    </Badge>
  );
}

function Failures(): ReactNode {
  const count = useUnfixedCount();
  if (count === undefined || count.least === 0) return null;
  return (
    <Badge look="failed">
      {countWords(count.least)}
      {count.isMore && '+'}
      <span className="unseen"> not fixed</span>
    </Badge>
  );
}
