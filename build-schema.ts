// Writes src/store/migrations/fresh-sqlite.ts: the schema as all migrations leave it. A new database starts with it,
// because running all migrations takes longer than the rest of opening a database.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { migrations } from './src/store/migrations/migrate.ts';
import { columnTypes, kyselyOver } from './src/store/sqlite/sqlite.ts';

const connection = new DatabaseSync(':memory:');
const db = kyselyOver(connection);
for (const { statements } of migrations) for (const each of statements(db, columnTypes)) await each.execute();
const objects = connection.prepare('SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid').all();
const text = objects.map(({ sql }) => `${String(sql)};\n`).join('');
writeFileSync(
  join(import.meta.dirname, 'src/store/migrations/fresh-sqlite.ts'),
  `// The schema of SQLite as all migrations leave it. \`npm run docs\` makes this file (build-schema.ts).

/** How many migrations it contains. */
export const freshVersion = ${migrations.length};
export const freshSchema = \`
${text.replaceAll(/[\\`]|\$\{/g, (found) => `\\${found}`)}\`;
`,
);
