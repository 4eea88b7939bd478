import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createProject } from './project.ts';

const named = (name: string) => `instance: { name: ${name} }`;

describe('without a flwd.yaml', () => {
  test('the defaults apply', () => {
    const { dir, load } = createProject({ 'jobs/': '' });
    const dataDir = join(dir, 'home/.local/share/flwd');
    const resources = { cpu: null, memoryBytes: null, pids: 1_024, workspaceBytes: null };
    const profile = {
      envPassthrough: [],
      rateLimit: null,
      mayGrant: ['network', 'read', 'write', 'kv'],
      runTimeoutMs: null,
      resources,
    };

    const { config, file, warnings } = load();

    expect({ file, warnings }).toEqual({ file: null, warnings: [] });
    expect(config).toEqual({
      instance: { name: 'flwd', dataDir, defaultTenant: 'default' },
      sources: [
        {
          name: 'local-fs',
          type: 'fs',
          isDefault: true,
          path: join(dir, 'jobs'),
          displayPath: './jobs',
          mountPath: '.',
          watch: true,
          trusted: true,
        },
      ],
      server: {
        bind: { host: '127.0.0.1', port: 8080 },
        publicUrl: null,
        readTimeoutMs: 30_000,
        writeTimeoutMs: 60_000,
        idleTimeoutMs: 75_000,
        syncWaitMs: 60_000,
        bodyLimitBytes: 1_048_576,
        tls: null,
        corsOrigins: [],
        trustProxy: false,
      },
      auth: { mode: 'auto', isDev: false, trustJobs: false, jwt: null },
      security: {
        defaultProfile: 'secure',
        allowProfiles: ['secure', 'permissive'],
        runAs: [],
        paths: [],
        profiles: { secure: profile, permissive: profile, disabled: profile },
      },
      persistence: {
        dbPath: join(dataDir, 'flwd.db'),
        blobsDir: dataDir,
        secretKeyFile: join(dataDir, 'secret.key'),
        secretKey: null,
        artifacts: { maxSizeBytes: 1_073_741_824, quotaSoftBytes: null, quotaHardBytes: 107_374_182_400, ttlMs: null },
        retention: {
          runsMs: 7_776_000_000,
          logsMs: 2_592_000_000,
          artifactsMs: null,
          workspacesMs: 86_400_000,
          snapshotsMs: 604_800_000,
          eventsMs: 604_800_000,
          auditMs: 31_536_000_000,
          statsMs: 34_560_000_000,
        },
      },
      scheduler: {
        calendars: {},
        schedulesPaused: false,
        triggersPaused: false,
        globalConcurrency: Math.max(4, 2 * availableParallelism()),
        jobConcurrency: null,
        queue: { maxDepth: null, defaultWeight: 1, weights: {} },
        timezone: null,
      },
      notify: { signingKeyFile: join(dataDir, 'notify.key'), allow: [], channels: [], rules: [], smtp: null },
      aliases: [],
      remotes: {},
      logging: { level: 'info', format: 'text', output: 'stderr', fields: {} },
      collector: null,
      mcp: { jobTools: 25, waitMs: 50_000, isUntrustedAllowed: false },
      extensions: ['tui', 'mcp'],
    });
  });

  test('the data dir follows XDG_DATA_HOME', () => {
    const { load } = createProject();
    expect(load({}, { XDG_DATA_HOME: '/srv/data' }).config.instance.dataDir).toBe('/srv/data/flwd');
  });
});

test('flwd reads the first flwd.yaml in the current folder or the home, or the one that --config names', () => {
  const { load } = createProject({ 'home/.config/flwd/flwd.yaml': named('home'), 'other/x.yaml': named('other') });
  expect(load().config.instance.name).toBe('home');
  expect(load({ config: 'other/x.yaml' })).toMatchObject({
    file: 'other/x.yaml',
    config: { instance: { name: 'other' } },
  });
  const both = createProject({ 'flwd.yaml': named('here'), 'home/.config/flwd/flwd.yaml': named('home') });
  expect(both.load()).toMatchObject({ file: 'flwd.yaml', config: { instance: { name: 'here' } } });
});

test('the file that --config names must exist', () => {
  const { errors } = createProject({ 'folder/': '' });
  expect(errors({ config: 'none.yaml' })).toEqual(['none.yaml: cannot be read: no such file']);
  expect(errors({ config: 'folder' })).toEqual(['folder: cannot be read: it is a folder']);
});

test('every value is converted to the unit that the code uses', () => {
  const { dir, load } = createProject({
    'flwd.yaml': `
instance: { name: prod, data_dir: ./data, default_tenant: ops }
sources: [{ name: a, path: scripts, mountPath: ops/backup, watch: false, trusted: false }]
server: { bind: 'localhost:0', read_timeout: 1m30s, sync_wait: 0s, body_limit: 64KiB }
security:
  default_profile: permissive
  allow_profiles: [permissive]
  paths: [/srv, ./shared, ~/docs]
  profiles:
    permissive:
      env_passthrough: [HTTP_PROXY]
      rate_limit: { limit: 5, window: 1m }
      may_grant: []
      resources: { cpu: 1.5, memory: 512MiB, pids: 200, workspace: 1GiB }
persistence: { db_path: /var/f.db, artifacts: { max_size: 10MB, quota_hard: 20MB, ttl: 30d } }
scheduler: { timezone: Europe/Berlin, global_concurrency: 3, job_concurrency: 2, queue: { max_depth: 9, default_weight: 2, weights: { ops: 3 } } }
aliases: [{ from: a/b, to: nightly, description: The old name }]
logging: { level: debug, format: json }
remotes: { prod: { base_url: https://flwd.example.org } }
`,
    'scripts/': '',
  });
  expect(load().config).toMatchObject({
    instance: { name: 'prod', dataDir: join(dir, 'data'), defaultTenant: 'ops' },
    sources: [
      {
        name: 'a',
        path: join(dir, 'scripts'),
        displayPath: 'scripts',
        mountPath: 'ops/backup',
        watch: false,
        trusted: false,
      },
    ],
    server: { bind: { host: 'localhost', port: 0 }, readTimeoutMs: 90_000, syncWaitMs: 0, bodyLimitBytes: 65_536 },
    security: {
      defaultProfile: 'permissive',
      allowProfiles: ['permissive'],
      paths: ['/srv', join(dir, 'shared'), join(dir, 'home/docs')],
      profiles: {
        permissive: {
          envPassthrough: ['HTTP_PROXY'],
          rateLimit: { limit: 5, windowMs: 60_000 },
          mayGrant: [],
          resources: { cpu: 1.5, memoryBytes: 536_870_912, pids: 200, workspaceBytes: 1_073_741_824 },
        },
      },
    },
    persistence: {
      dbPath: '/var/f.db',
      blobsDir: join(dir, 'data'),
      artifacts: { maxSizeBytes: 10_000_000, quotaHardBytes: 20_000_000, ttlMs: 2_592_000_000 },
    },
    scheduler: {
      globalConcurrency: 3,
      jobConcurrency: 2,
      queue: { maxDepth: 9, defaultWeight: 2, weights: { ops: 3 } },
      timezone: 'Europe/Berlin',
    },
    aliases: [{ from: 'a/b', to: 'nightly' }],
    logging: { level: 'debug', format: 'json' },
  });
});

test('an origin is normalised as browsers do it', () => {
  const origins = '["https://Console.Example.org/", "http://a.example:80", "https://b.example:8443"]';
  const { load } = createProject({ 'flwd.yaml': `server: { cors_origins: ${origins} }` });
  expect(load().config.server.corsOrigins).toEqual([
    'https://console.example.org',
    'http://a.example',
    'https://b.example:8443',
  ]);
});

test('trusted proxies can be given as addresses and ranges, in flwd.yaml and in a variable', () => {
  const { load } = createProject({ 'flwd.yaml': 'server: { trust_proxy: [10.0.0.7, "2001:db8::/32"] }' });
  expect(load().config.server.trustProxy).toEqual(['10.0.0.7', '2001:db8::/32']);
  expect(load({}, { FLWD_SERVER_TRUST_PROXY: '127.0.0.1, ::1' }).config.server.trustProxy).toEqual([
    '127.0.0.1',
    '::1',
  ]);
  expect(load({}, { FLWD_SERVER_TRUST_PROXY: 'true' }).config.server.trustProxy).toBe(true);
});

test('relative paths in flwd.yaml start at its folder, and those in options and variables at the current folder', () => {
  const { dir, load } = createProject({ 'etc/flwd.yaml': 'persistence: { db_path: ./x.db }' });
  const { config } = load({ config: 'etc/flwd.yaml', dataDir: 'data' }, { FLWD_PERSISTENCE_BLOBS_PATH: 'blobs' });
  expect(config.persistence).toMatchObject({ dbPath: join(dir, 'etc/x.db'), blobsDir: join(dir, 'blobs') });
  expect(config.instance.dataDir).toBe(join(dir, 'data'));
});

test('an option overrides a variable, and a variable overrides the file', () => {
  const { load } = createProject({ 'flwd.yaml': 'server: { bind: 127.0.0.1:1 }' });
  const port = (...given: Parameters<typeof load>) => load(...given).config.server.bind.port;
  expect(port()).toBe(1);
  expect(port({}, { FLWD_SERVER_BIND: '127.0.0.1:2' })).toBe(2);
  expect(port({ bind: '[::1]:3' }, { FLWD_SERVER_BIND: '127.0.0.1:2' })).toBe(3);
});

test('an empty file, empty sections and keys without a value mean the defaults', () => {
  expect(createProject({ 'flwd.yaml': '' }).load().config.instance.name).toBe('flwd');
  const { load } = createProject({ 'flwd.yaml': 'instance:\nserver: { bind: }\naliases:\n' });
  expect(load().config.server.bind.port).toBe(8080);
});

test('a loaded configuration cannot be changed', () => {
  const { config } = createProject().load();
  expect(Object.isFrozen(config)).toBe(true);
  expect(Object.isFrozen(config.security.profiles.secure.mayGrant)).toBe(true);
  expect(Object.isFrozen(config.sources[0])).toBe(true);
});
