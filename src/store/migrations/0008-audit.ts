// The audit log. Rows are only ever added, and each has a hash of its content and the previous hash (ADR 0018).

import { type Kysely, sql } from 'kysely';
import type { Schema } from '../schema.ts';
import type { Migration } from './migration.ts';

export const audit: Migration = {
  name: '0008-audit',
  statements: (db, { engine, growingId }) => [
    db.schema
      .createTable('audit')
      .addColumn('id', growingId, (column) => column.primaryKey().notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('actor', 'text', (column) => column.notNull())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('action', 'text', (column) => column.notNull())
      .addColumn('result', 'text', (column) => column.notNull())
      .addColumn('object_kind', 'text')
      .addColumn('object_id', 'text')
      .addColumn('origin', 'text')
      .addColumn('request_id', 'text')
      .addColumn('reason', 'text')
      .addColumn('detail', 'text')
      .addColumn('hash', 'text', (column) => column.notNull()),
    db.schema.createIndex('audit_by_object').on('audit').columns(['object_id', 'id']),
    // Nearly all entries are starts of runs. The index leaves them out, so it is small and finds all other entries
    // quickly.
    statement(db, `create index audit_by_action on audit (action, id) where action <> 'run.create'`),

    db.schema
      .createTable('audit_counts')
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('actor', 'text', (column) => column.notNull())
      .addColumn('action', 'text', (column) => column.notNull())
      .addColumn('result', 'text', (column) => column.notNull())
      .addColumn('count', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('audit_counts_key', ['tenant', 'actor', 'action', 'result']),

    ...triggers[engine].map((text) => statement(db, text)),
  ],
};

const refusal = 'the audit log is append-only';

const triggers = {
  // REPLACE deletes rows without firing the trigger on DELETE. So there must be a trigger on INSERT, too.
  sqlite: [
    `create trigger audit_keeps before update on audit
        begin select raise(abort, '${refusal}'); end`,
    `create trigger audit_grows before insert on audit when new.id <= (select max(id) from audit)
        begin select raise(abort, '${refusal}'); end`,
    `create trigger audit_expires before delete on audit
        when old.id >= coalesce((select next_id from sequences where name = 'audit.kept'), 0)
        begin select raise(abort, '${refusal}'); end`,
  ],
  postgres: [
    `create function audit_refuses() returns trigger language plpgsql as $$ begin
        if tg_op = 'INSERT' and new.id > coalesce((select max(id) from audit), 0) then return new; end if;
        if tg_op = 'DELETE' and old.id < coalesce((select next_id from sequences where name = 'audit.kept'), 0) then
          return old;
        end if;
        raise exception '${refusal}';
      end $$`,
    'create trigger audit_keeps before insert or update or delete on audit for each row execute function audit_refuses()',
    'create trigger audit_stays before truncate on audit for each statement execute function audit_refuses()',
  ],
} as const;

function statement(db: Kysely<Schema>, text: string) {
  const raw = sql.raw(text);
  return { compile: () => raw.compile(db), execute: () => raw.execute(db) };
}
