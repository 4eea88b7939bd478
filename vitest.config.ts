import { defineConfig } from 'vitest/config';

// Projects of their own for what needs something first: the tests of the package that it is packed and installed, those of
// the console that it is built.
const ofThePackage = [
  'test/conformance/**/*.test.ts',
  'test/e2e/**/*.test.ts',
  'test/chaos/**/*.test.ts',
  'test/security/{fuzz,http-flood,inputs-*,sandbox-*}.test.ts',
];

const onPostgres = 'test/store/postgres.test.ts';
/** Of the engine, those that have no database, or are about the file of one. */
const notOverPostgres =
  'test/engine/{announcements,collect,earlier-build,ends,full-disk,hub,many-steps,missed-fires,output,refusals,run-state,slots}.test.ts';
/** Suites of the store and of the engine that run once more over PostgreSQL. */
const overPostgres = [
  'test/engine/*.test.ts',
  onPostgres,
  'test/store/{artifacts,audit,commits,crash,idempotency,journal,last-runs,log-damage,logs*,run-*,runs,schedules}.test.ts',
];

const ofTheConsole = 'test/console/**/*.test.ts';

export default defineConfig({
  test: {
    // These end what hangs; a machine that is busy with other things must not reach them. At a load of 26 on 2 cores
    // a server took more than 20 s to start, and tests of ten commands more than 50 s.
    testTimeout: 180_000,
    hookTimeout: 240_000,
    expect: { poll: { timeout: 60_000, interval: 25 } },
    maxWorkers: 2,
    reporters: [
      'default',
      './test/support/every-statement.ts',
      ...(process.env.CI ? ['./test/support/closing-line.ts'] : []),
    ],
    projects: [
      {
        extends: true,
        test: { name: 'parts', include: ['test/**/*.test.ts'], exclude: [...ofThePackage, ofTheConsole, onPostgres] },
      },
      {
        extends: true,
        test: {
          name: 'postgres',
          include: overPostgres,
          exclude: [notOverPostgres],
          globalSetup: ['test/support/postgres.ts'],
          setupFiles: ['test/store/over-postgres.ts'],
        },
      },
      { extends: true, test: { name: 'console', include: [ofTheConsole], globalSetup: ['test/console/built.ts'] } },
      { extends: true, test: { name: 'package', include: ofThePackage, globalSetup: ['test/support/pack.ts'] } },
    ],
  },
});
