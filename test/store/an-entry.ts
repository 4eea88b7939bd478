// An audit entry. Tests override what they care about.

import type { NewAuditEntry } from '../../src/domain/audit.ts';

export function anEntry(over: Partial<NewAuditEntry> = {}): NewAuditEntry {
  return {
    actor: 'local',
    tenant: 'default',
    action: 'run.cancel',
    object: { kind: 'run', id: 'run_01HM' },
    from: '127.0.0.1',
    requestId: 'req_01HM',
    result: 'done',
    reason: null,
    detail: null,
    ...over,
  };
}
