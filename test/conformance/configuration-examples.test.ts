// A flwd.yaml that was written for another implementation of flwd either keeps its meaning, or each line that cannot
// is refused with a sentence that names what to write. One row for each example of the documented configuration, in
// our own words.

import { describe, expect, test } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import { createProject } from '../config/project.ts';

type DeepPartial<T> = { readonly [K in keyof T]?: T[K] extends object | null ? DeepPartial<T[K]> : T[K] };
type Row = {
  readonly example: string;
  readonly yaml: string;
  /** Members that the loaded configuration has; absent if the file is refused. */
  readonly means?: DeepPartial<Config>;
  /** Every error and note, in order. */
  readonly says?: readonly RegExp[];
};

const signsNoTokens = /flwd signs no tokens: store the token that `flwd tokens create` prints there.*`token_file`/;
const permissiveHost =
  /`security\.profiles\.permissive\.filesystem`: jobs in `permissive` see the host, but write only/;

const rows: readonly Row[] = [
  {
    example: 'a minimal file',
    yaml: `
instance: { name: ops-main, data_dir: ./state }
sources: [{ name: scripts, type: fs, path: ./tree }]
server: { bind: "0.0.0.0:9000", read_timeout: "20s", write_timeout: "20s" }`,
    means: {
      instance: { name: 'ops-main' },
      server: { bind: { host: '0.0.0.0', port: 9_000 }, readTimeoutMs: 20_000, writeTimeoutMs: 20_000 },
    },
  },
  {
    example: 'instance settings',
    yaml: 'instance: { name: ops-main, data_dir: ./state, default_tenant: team }',
    means: { instance: { name: 'ops-main', defaultTenant: 'team' } },
  },
  {
    example: 'a folder, a git repository and an image as sources',
    yaml: `
sources:
  - { name: scripts, type: fs, path: ./tree, mountPath: ops, watch: true }
  - { name: common, type: git, url: https://git.example/jobs.git, ref: main, poll_interval: 10m }
  - { name: addon, type: oci, image: "registry.example/jobs:1@sha256:00", mountPath: addons/jobs }`,
    says: [
      /:4:27: sources of type `git` are not supported yet: clone the repository, and name the folder in `path`/,
      /:5:26: sources of type `oci` are not supported yet: copy the jobs out of the image, and name the folder in/,
    ],
  },
  ...['on-run', 'manual', 'disabled'].map((policy) => ({
    example: `a git source with pull_policy ${policy}`,
    yaml: `sources: [{ name: common, type: git, url: https://git.example/jobs.git, ref: v2, mountPath: common, pull_policy: ${policy}, auto_sync: true }]`,
    says: [/sources of type `git` are not supported yet: clone the repository/],
  })),
  {
    example: 'server settings with TLS',
    yaml: `
server:
  bind: "0.0.0.0:8443"
  idle_timeout: "90s"
  tls: { enabled: true, cert_file: ./cert.pem, key_file: ./key.pem }`,
    means: { server: { idleTimeoutMs: 90_000, tls: { certFile: expect.stringMatching(/\/cert\.pem$/) } } },
  },
  {
    example: 'TLS that is switched off',
    yaml: 'server: { tls: { enabled: false, cert_file: ./cert.pem, key_file: ./key.pem } }',
    means: { server: { tls: null } },
  },
  {
    example: 'TLS without a certificate',
    yaml: 'server: { tls: { enabled: true } }',
    says: [/`server\.tls\.enabled` also needs `server\.tls\.cert_file`/],
  },
  {
    example: 'security profiles',
    yaml: `
security:
  default_profile: secure
  profiles:
    secure: { network: "none", filesystem: workspace-only, env_passthrough: [] }
    permissive: { network: all, filesystem: host, env_passthrough: [PATH, HOME] }
    disabled: { network: all, filesystem: host }`,
    means: {
      security: { defaultProfile: 'secure', profiles: { permissive: { envPassthrough: ['PATH', 'HOME'] } } },
    },
    says: [permissiveHost],
  },
  {
    example: 'the limits of a profile',
    yaml: 'security: { profiles: { secure: { resources: { cpu_limit: "1.5", memory_limit: 512MiB, timeout: 20m } } } }',
    means: {
      security: {
        profiles: { secure: { resources: { cpu: 1.5, memoryBytes: 2 ** 29 }, runTimeoutMs: 1_200_000 } },
      },
    },
  },
  {
    example: 'a limit under both of its names',
    yaml: 'security: { profiles: { secure: { resources: { cpu: 1, cpu_limit: 2 } } } }',
    says: [/`security\.profiles\.secure\.resources\.cpu` is set twice, under two names: remove one/],
  },
  {
    example: 'restricted network and files, and capabilities',
    yaml: `
security:
  profiles:
    secure:
      network: restricted
      filesystem: restricted
      capabilities: [CAP_NET_BIND_SERVICE]`,
    says: [
      /:5:16: `security\.profiles\.secure\.network` does not take `restricted`: .*`permissions\.network`/,
      /:6:19: `security\.profiles\.secure\.filesystem` does not take `restricted`: .*`security\.paths`/,
      /:7:21: `security\.profiles\.secure\.capabilities` .* is not supported yet: jobs keep no capabilities, except/,
    ],
  },
  {
    example: 'a wider network for a profile',
    yaml: 'security: { profiles: { secure: { network: all } } }',
    says: [/`security\.profiles\.secure\.network` with `all` is not supported yet: .*`permissions`/],
  },
  {
    example: 'a profile with a name of its own',
    yaml: 'security: { profiles: { nightly: { network: "none" } } }',
    says: [/unknown name `nightly`; known: secure, permissive, disabled/],
  },
  {
    example: 'logging',
    yaml: 'logging: { level: warn, format: json, output: stdout, fields: { environment: test, region: north } }',
    means: {
      logging: { level: 'warn', format: 'json', output: 'stdout', fields: { environment: 'test', region: 'north' } },
    },
  },
  {
    example: 'logging to a file',
    yaml: 'logging: { output: ./flwd.log }',
    means: { logging: { output: expect.stringMatching(/^\/.*\/flwd\.log$/) } },
  },
  {
    example: 'a field that each line has anyway',
    yaml: 'logging: { fields: { level: off } }',
    says: [/`logging\.fields` must not set `level`, which each line has anyway/],
  },
  {
    example: 'persistence',
    yaml: `
persistence:
  db_path: main.db
  artifacts: { max_size: 64MiB, quota_soft: 2GiB, quota_hard: 3GiB, ttl: 3d }`,
    means: {
      persistence: {
        dbPath: expect.stringMatching(/\/main\.db$/),
        artifacts: {
          maxSizeBytes: 2 ** 26,
          quotaSoftBytes: 2 ** 31,
          quotaHardBytes: 3 * 2 ** 30,
          ttlMs: 3 * 86_400_000,
        },
      },
    },
  },
  {
    example: 'a soft quota above the hard one',
    yaml: 'persistence: { artifacts: { quota_soft: 2GiB, quota_hard: 1GiB } }',
    says: [/`quota_soft` must not be more than `quota_hard`/],
  },
  {
    example: 'the scheduler',
    yaml: 'scheduler: { global_concurrency: 6, job_concurrency: 3, queue: { default_weight: 2 } }',
    means: { scheduler: { globalConcurrency: 6, jobConcurrency: 3, queue: { defaultWeight: 2 } } },
  },
  {
    example: 'extensions',
    yaml: 'extensions: { enabled: [tui, triggers, export, maint] }',
    means: { extensions: ['tui'] },
    says: [/the extension `triggers` is accepted/, /the extension `export` is/, /the extension `maint` is/],
  },
  {
    example: 'the extension mcp',
    yaml: 'extensions: { enabled: [tui, mcp] }',
    means: { extensions: ['tui', 'mcp'] },
  },
  {
    example: 'a remote that signs its own tokens',
    yaml: `
remotes:
  main:
    base_url: https://main.example
    auth:
      type: private_key_jwt
      token_path: ./token.json
      private_key_path: ./key.pem
      audience: https://main.example
      claims: { cid: ci }
    cache: { etag_ttl: 10s }`,
    says: [signsNoTokens, signsNoTokens, signsNoTokens, signsNoTokens],
  },
  {
    example: 'a remote with a token in a file',
    yaml: 'remotes: { main: { base_url: https://main.example, auth: { token_path: ./token }, cache: { etag_ttl: 10s } } }',
    means: { remotes: { main: { tokenFile: expect.stringMatching(/\/token$/) } } },
    says: [/`remotes\.main\.cache\.etag_ttl` has no effect: flwd keeps no answers of a remote, and asks each time/],
  },
  {
    example: 'the short file of a server',
    yaml: `
bind: 127.0.0.1:9000
default_profile: secure
db_path: ./main.db
auth: { issuer: "https://id.example/", audience: flwd, jwk_file: ./keys.json }`,
    means: {
      server: { bind: { host: '127.0.0.1', port: 9_000 } },
      security: { defaultProfile: 'secure' },
      persistence: { dbPath: expect.stringMatching(/\/main\.db$/) },
      auth: { jwt: { issuer: 'https://id.example/', audience: 'flwd' } },
    },
  },
  {
    example: 'the limits in the short file',
    yaml: 'limits: { max_concurrent_runs: 16, max_run_history: 5000 }',
    says: [
      /`limits\.max_concurrent_runs` is not supported: set `scheduler\.global_concurrency`, which counts steps/,
      /`limits\.max_run_history` is not supported: set `persistence\.retention\.runs`, which is a duration/,
    ],
  },
  {
    example: 'an alias',
    yaml: 'aliases: [{ from: tools/db/dump, to: db-dump, description: Dump the database }]',
    means: { aliases: [{ from: 'tools/db/dump', to: 'db-dump' }] },
  },
  {
    example: 'everything together',
    yaml: `
instance: { name: ops-main, data_dir: ./state, default_tenant: team }
sources:
  - { name: scripts, type: fs, path: ./tree, watch: true }
server:
  bind: "0.0.0.0:8443"
  tls: { enabled: true, cert_file: ./cert.pem, key_file: ./key.pem }
security:
  default_profile: secure
  profiles:
    secure: { network: "none", filesystem: workspace-only, env_passthrough: [] }
    permissive: { network: all, filesystem: host, env_passthrough: [PATH, HOME, USER] }
logging: { level: info, format: json, output: stdout, fields: { environment: test } }
persistence: { db_path: main.db, artifacts: { max_size: 64MiB, quota_soft: 2GiB, quota_hard: 3GiB, ttl: 3d } }
scheduler: { global_concurrency: 6, job_concurrency: 3 }
extensions: { enabled: [tui, export, maint] }
remotes: { staging: { base_url: https://staging.example } }`,
    means: { instance: { name: 'ops-main' }, logging: { output: 'stdout' }, scheduler: { jobConcurrency: 3 } },
    says: [permissiveHost, /the extension `export` is/, /the extension `maint` is/],
  },
];

test.each(rows)('$example', ({ yaml, means, says = [] }) => {
  const { load, errors } = createProject({ 'flwd.yaml': yaml, 'jobs/': '', 'tree/': '' });
  const found = errors();
  const warnings = found.length > 0 ? [] : load().warnings;
  expect([...found, ...warnings]).toEqual(says.map((line) => expect.stringMatching(line)));
  if (means) expect(load().config).toMatchObject(means);
  else expect(found).not.toEqual([]);
});

describe('variables', () => {
  const variablesOf = (environment: NodeJS.ProcessEnv) => createProject().load({}, environment);

  test('FLOWD_ with a section and a key, and the two short names, override the file', () => {
    const { config, warnings } = variablesOf({
      FLOWD_INSTANCE_NAME: 'staging',
      FLOWD_DATA_DIR: '/var/lib/other',
      FLOWD_SERVER_BIND: '127.0.0.1:9090',
      FLOWD_LOG_LEVEL: 'debug',
      FLOWD_SECURITY_PROFILES_SECURE_FILESYSTEM: 'workspace-only',
      FLOWD_SECURITY_PROFILES_SECURE_RESOURCES_CPU_LIMIT: '2.0',
    });
    expect(config).toMatchObject({
      instance: { name: 'staging', dataDir: '/var/lib/other' },
      server: { bind: { port: 9_090 } },
      logging: { level: 'debug' },
      security: { profiles: { secure: { resources: { cpu: 2 } } } },
    });
    expect(warnings).toEqual([]);
  });

  test('the variable of the key itself overrides a short name', () => {
    const { config } = variablesOf({ FLWD_DATA_DIR: '/var/lib/a', FLOWD_INSTANCE_DATA_DIR: '/var/lib/b' });
    expect(config.instance.dataDir).toBe('/var/lib/b');
  });

  test('a variable that means nothing here is named, never ignored in silence', () => {
    const { warnings } = variablesOf({
      FLWD_POLICY_FILE: '/etc/policy.yaml',
      FLWD_ALIASES_PUBLIC: 'true',
      FLOWD_API: 'http://localhost:8080',
      FLOWD_COLOUR: 'blue',
      FLOWD_REMOTE: 'http://localhost:8080',
      FLOWD_TOKEN: 't',
      FLOWD_EMPTY: '',
      FLOWD_constructor: 'x',
    });
    expect(warnings).toEqual([
      'ignoring the variable FLWD_POLICY_FILE: there are no policy files: set `security` in flwd.yaml',
      'ignoring the variable FLWD_ALIASES_PUBLIC: everyone who may list jobs sees their aliases',
      'ignoring the variable FLOWD_API: set FLWD_REMOTE to the address of the server',
      'ignoring the variable FLOWD_COLOUR, which sets no key',
      'ignoring the variable FLOWD_constructor, which sets no key',
    ]);
  });
});
