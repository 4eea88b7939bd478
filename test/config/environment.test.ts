import { expect, test } from 'vitest';
import { variables } from '../../src/config/environment.ts';
import { keyPaths } from '../../src/config/shape.ts';
import { createProject } from './project.ts';

test('a variable of any kind overrides its key', () => {
  const { config } = createProject({ 'flwd.yaml': 'instance: { name: file }', 'a/': '' }).load(
    {},
    {
      FLWD_INSTANCE_NAME: 'env',
      FLWD_SERVER_READ_TIMEOUT: '5s',
      FLWD_SERVER_BODY_LIMIT: '2048',
      FLWD_SCHEDULER_QUEUE_MAX_DEPTH: '7',
      FLWD_SECURITY_ALLOW_PROFILES: 'secure, disabled',
      FLWD_SECURITY_PROFILES_SECURE_RATE_LIMIT_LIMIT: '3',
      FLWD_WORKER_ENABLED: 'true',
    },
  );
  expect(config).toMatchObject({
    instance: { name: 'env' },
    server: { readTimeoutMs: 5_000, bodyLimitBytes: 2_048 },
    scheduler: { queue: { maxDepth: 7 } },
    security: {
      allowProfiles: ['secure', 'disabled'],
      profiles: { secure: { rateLimit: { limit: 3, windowMs: 1_000 } }, permissive: { rateLimit: null } },
    },
  });
});

test('the former prefix FLOWD_ works, FLWD_ overrides it, and empty variables are ignored', () => {
  const { load } = createProject();
  const name = (environment: NodeJS.ProcessEnv) => load({}, environment).config.instance.name;
  expect(name({ FLOWD_INSTANCE_NAME: 'old' })).toBe('old');
  expect(name({ FLOWD_INSTANCE_NAME: 'old', FLWD_INSTANCE_NAME: 'new' })).toBe('new');
  expect(name({ FLOWD_INSTANCE_NAME: 'old', FLWD_INSTANCE_NAME: '' })).toBe('old');
  expect(name({ FLWD_INSTANCE_NAME: '' })).toBe('flwd');
});

test('a wrong value is an error that names the variable', () => {
  const { errors } = createProject();
  expect(errors({}, { FLWD_SERVER_READ_TIMEOUT: 'soon', FLOWD_WORKER_ENABLED: 'maybe' })).toEqual([
    'FLWD_SERVER_READ_TIMEOUT: `server.read_timeout` must be a duration such as `30s` or `1h30m`, from 100ms up to 24h, not `soon`',
    'FLOWD_WORKER_ENABLED: `worker.enabled` must be true or false, not `maybe`',
  ]);
  expect(errors({}, { FLWD_SCHEDULER_QUEUE_WEIGHTS: 'ops=2,dev=x' })[0]).toContain(
    'must be a map, each value an integer',
  );
  expect(errors({}, { FLWD_DATABASE_URL: 'postgres://h/db' })[0]).toContain(
    'FLWD_DATABASE_URL: `persistence.url` is not supported yet',
  );
});

test('a variable that looks like a key causes a warning; others with the prefix are ignored', () => {
  const { warnings } = createProject().load(
    {},
    { FLWD_SERVER_BNID: 'x', FLWD_SERVER_PORT_8080_TCP_ADDR: '10.0.0.1', FLWD_RUN_ID: 'run_1', FLWD_TOKEN: 't' },
  );
  expect(warnings).toEqual([
    'ignoring the variable FLWD_SERVER_BNID, which sets no key; did you mean FLWD_SERVER_BIND?',
    'ignoring the variable FLWD_SERVER_PORT_8080_TCP_ADDR, which sets no key',
  ]);
});

test('no two keys share a variable', () => {
  const single = keyPaths.filter((path) => !/\[\]|</.test(path));
  const perProfile = keyPaths.filter((path) => path.includes('<profile>'));
  const underOtherNames = ['DATA_DIR', 'LOG_LEVEL', 'PROFILE'].length + 3 * ['cpu_limit', 'memory_limit'].length;
  expect(variables.size).toBe(single.length + 3 * perProfile.length + 1 + underOtherNames);
});
