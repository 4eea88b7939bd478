// The floor of an answer to `POST /runs`: a Fastify with a single route that stores the body in SQLite, in its own
// process. It answers once the row is on the disk.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import Fastify from 'fastify';

const dir = mkdtempSync(join(tmpdir(), 'flwd-floor-'));
const database = new DatabaseSync(join(dir, 'bare.db'));
database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE runs (id INTEGER PRIMARY KEY, body)');
const insert = database.prepare('INSERT INTO runs (body) VALUES (?)');

const app = Fastify();
app.post('/', (request, reply) => {
  const { lastInsertRowid: id } = insert.run(JSON.stringify(request.body));
  return reply.code(201).send({ run_id: String(id), status: 'running', created_at: new Date().toISOString() });
});
process.once('disconnect', () => {
  void app.close();
  database.close();
  rmSync(dir, { recursive: true });
});
void app.listen({ host: '127.0.0.1', port: 0 }).then((url) => process.send?.({ url }));
