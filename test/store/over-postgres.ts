// Vitest setup file of the suites that run over PostgreSQL: says where it is, and takes their databases away at the end.

import { afterAll, inject } from 'vitest';
import { dropDatabases } from './postgres-databases.ts';

const postgresDir = inject('postgresDir');
process.env.FLWD_TEST_POSTGRES = postgresDir;
afterAll(() => dropDatabases(postgresDir));
