// A Vitest setup file for suites on PostgreSQL: tells them where it runs, and drops their databases at the end.

import { afterAll, inject } from 'vitest';
import { dropDatabases } from './postgres-databases.ts';

const postgresDir = inject('postgresDir');
process.env.FLWD_TEST_POSTGRES = postgresDir;
afterAll(() => dropDatabases(postgresDir));
