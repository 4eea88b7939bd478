// The audit log in the file itself, as it is at one moment: beside a server that goes on, or without one. Changes nothing.

import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { StartError } from '../../lib/start-error.ts';
import { type AuditEntries, type AuditListQuery, readAudit } from '../audit/audit-list.ts';
import { type AuditVerdict, verifyAudit } from '../audit/audit-verify.ts';
import { busyTimeoutMs, kyselyOver } from './sqlite.ts';
import { explainOpening } from './sqlite-files.ts';

export type AuditFile = {
  /** @throws Problem validation-error when `cursor` is none */
  readonly read: (query: AuditListQuery) => Promise<AuditEntries>;
  readonly verify: () => Promise<AuditVerdict>;
  readonly close: () => void;
};

/** @throws StartError where there is none */
export function openAuditFile(dbPath: string): AuditFile {
  if (!existsSync(dbPath)) throw new StartError(`there is no database at ${dbPath}`);
  // Not read-only to SQLite, which could not open the log of commits of a server that is gone.
  const connection = new DatabaseSync(dbPath, { timeout: busyTimeoutMs });
  try {
    connection.exec('PRAGMA query_only = 1; BEGIN');
    const found = connection.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'audit'").get();
    if (!found) throw new StartError(`the database ${dbPath} is of an older flwd, which kept no audit log`);
  } catch (error) {
    connection.close();
    throw explainOpening(error, dbPath);
  }
  const db = kyselyOver(connection);
  return {
    read: (query) => readAudit(db, query),
    verify: () => verifyAudit(db),
    close: () => connection.close(),
  };
}
