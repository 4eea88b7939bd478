import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

// Tests that need preparation are separate projects: those of the package need it packed and installed, those of the
// console need it built.
const ofThePackage = [
  'test/cli/**/*.test.ts',
  'test/conformance/**/*.test.ts',
  'test/e2e/**/*.test.ts',
  'test/chaos/**/*.test.ts',
  'test/security/{audit-runs,fuzz,http-flood,inputs-*,mcp-text,sandbox-*,tokens}.test.ts',
  // They start flwd again and again: the package starts faster than the checkout.
  'test/docs/commands.test.ts',
  'test/mcp/{job-tools,stdio}.test.ts',
];

/**
 * For projects whose files share processes, which load the sources once. What a test replaces is put back for the next
 * one. Hooks belong into test files: those of a file that several tests import run for the first of them only.
 */
const shared = { isolate: false, unstubEnvs: true, restoreMocks: true };
/**
 * Tests of the checkout that have a process each: they look at its descriptors, children and timers, replace a module
 * of Node, or count what V8 does.
 */
const alone = [
  'test/exec/**/*.test.ts',
  'test/domain/step-graph-cost.test.ts',
  'test/engine/{collect,output}.test.ts',
  'test/store/unreadable-files.test.ts',
];
/** Programs that a test starts from the checkout keep what they compile. */
const env = { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/flwd') };

const onPostgres = 'test/store/postgres.test.ts';
/** Tests of the engine that have no database, or are about SQLite's file. */
const notOverPostgres =
  'test/engine/{announcements,collect,earlier-build,ends,full-disk,hub,many-steps,missed-fires,output,refusals,run-state,slots}.test.ts';
/** Suites of the store and of the engine that run again over PostgreSQL. */
const overPostgres = [
  'test/engine/*.test.ts',
  onPostgres,
  'test/store/{artifacts,audit,backfills,commits,crash,exports,failures,heartbeats,idempotency,job-times,journal,kv,last-runs,late,log-damage,logs*,notifications,run-*,runs,schedules,stats,triggers,watched-files,webhooks}.test.ts',
];

const ofTheConsole = 'test/console/**/*.test.ts';
/** `npm run check:release` builds what these need, and runs them with `vitest.release.config.ts`. */
const ofReleases = 'test/release/**/*.test.ts';

export default defineConfig({
  test: {
    // These timeouts end tests that hang, and must be long enough for a busy machine. At a load of 26 on 2 cores, a
    // server took more than 20 s to start, and tests of ten commands more than 50 s.
    testTimeout: 180_000,
    hookTimeout: 240_000,
    expect: { poll: { timeout: 60_000, interval: 25 } },
    // Many tests wait for another process or for a time: with three workers, two cores were idle a third of the time.
    maxWorkers: 6,
    reporters: [
      'default',
      './test/support/every-statement.ts',
      ...(process.env.CI ? ['./test/support/closing-line.ts'] : []),
    ],
    projects: [
      {
        extends: true,
        test: {
          name: 'parts',
          include: ['test/**/*.test.ts'],
          exclude: [...alone, ...ofThePackage, ofTheConsole, onPostgres, ofReleases],
          env,
          ...shared,
        },
      },
      { extends: true, test: { name: 'alone', include: alone, env } },
      {
        extends: true,
        test: {
          name: 'postgres',
          include: overPostgres,
          exclude: [notOverPostgres],
          env,
          ...shared,
          globalSetup: ['test/support/postgres.ts'],
          setupFiles: ['test/store/over-postgres.ts'],
        },
      },
      {
        extends: true,
        test: { name: 'console', include: [ofTheConsole], globalSetup: ['test/console/built.ts'], ...shared },
      },
      { extends: true, test: { name: 'package', include: ofThePackage, globalSetup: ['test/support/pack.ts'] } },
    ],
  },
});
