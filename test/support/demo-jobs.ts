// The jobs of the demo instance: 47 job folders in 12 namespaces, and how the runs of each job have gone for a month.

import type { JsonObject } from '../../src/domain/job.ts';
import { bash, type JobFiles } from './jobs.ts';

export type DemoHistory = {
  readonly everyMin: number;
  /** The usual duration of its work. */
  readonly tookMs: number;
  /** The share of its runs that fail. */
  readonly fails?: number;
  /** The errors with which its runs fail, as the program prints them. */
  readonly errors?: readonly { readonly message: string; readonly hint?: string }[];
  /** In this many last hours, nine of ten runs fail with the first error. */
  readonly failsForHours?: number;
  /** How much longer its last runs take than its first. */
  readonly growth?: number;
  /** Who starts it. Without this, schedules start it. */
  readonly by?: readonly ('mara.lindt' | 'jon.weber' | 'ci-helper' | 'local')[];
  readonly args?: readonly JsonObject[];
};
export type DemoJob = { readonly files: JobFiles; readonly history: DemoHistory | null };

type Config = Readonly<Record<string, unknown>>;

const work = (what: string): string =>
  [`echo "${what}"`, 'for n in 1 2 3; do echo "part $n of 3"; sleep 0.05; done', 'echo "done"'].join('\n');

function quick(title: string, config: Config, history: DemoHistory | null): DemoJob {
  return { files: bash(work(title), { name: title, ...config }), history };
}

const cron = (pattern: string): Config => ({ schedules: [{ cron: pattern, timezone: 'Europe/Berlin' }] });
/** A push or a release to production starts the job. */
const pushes: Config = {
  webhooks: [{ name: 'push', scheme: 'github', secret: 'docs-push', if: 'event == "push"' }],
  triggers: [{ job: 'shop/release', if: 'run.args.env == "production"' }],
};
const afterCertificates: Config = { triggers: [{ job: 'ops/certificates', on: ['cancelled'] }] };
const people = ['mara.lindt', 'jon.weber'] as const;
const min = 60_000;
const day = 24 * 60;

const voucher = { message: 'AssertionError: expected 17.50, got 14.00 (cart.test:88)' };
const timeout = {
  message: 'connect ETIMEDOUT 10.4.1.17:5432',
  hint: 'The database did not answer. Check that 10.4.1.17:5432 can be reached from this host.',
};
const cuda = { message: 'CUDA out of memory. Tried to allocate 2.31 GiB' };
const xcode = { message: 'Xcode 17.1 license has not been agreed to' };
const disk = {
  message: 'tar: /srv/media: Cannot open: No such file or directory',
  hint: 'The job was not granted /srv/media. Add it to permissions.read, and allow it under security.paths.',
};

const script = (...lines: readonly string[]): string => `#!/usr/bin/env bash\n${lines.join('\n')}\n`;

const releaseArgs = {
  type: 'object',
  required: ['env', 'version', 'hosts'],
  properties: {
    env: { title: 'Environment', enum: ['staging', 'production'], default: 'staging' },
    version: {
      title: 'Version',
      type: 'string',
      pattern: String.raw`^\d+\.\d+\.\d+`,
      description: 'As tagged, without v',
    },
    hosts: {
      title: 'Hosts',
      type: 'array',
      items: { type: 'string' },
      minItems: 1,
      description: 'At least one; each is an instance of deploy',
    },
    canary: { title: 'Canary share', type: 'integer', minimum: 0, maximum: 50, default: 10 },
    deploy_key: { title: 'Deploy key', type: 'string', format: 'secret' },
    note: { title: 'Release note', type: 'string', description: 'Markdown; goes to #releases' },
    tell: { title: 'Tell #releases', type: 'boolean', default: true },
  },
};

const release: DemoJob = {
  files: {
    'config.yaml': JSON.stringify(
      {
        name: 'Release the shop',
        description: 'Builds, tests and ships the shop',
        tags: ['prod', 'critical'],
        argspec: releaseArgs,
        concurrency: { limit: 1, key: 'args.env' },
        artifacts: { paths: ['dist/*'] },
        steps: [
          { id: 'checkout', script: './checkout.sh' },
          { id: 'build', script: './build.sh', needs: ['checkout'], retry: { limit: 1, delay: '1s' } },
          { id: 'lint', script: './lint.sh', needs: ['checkout'] },
          {
            id: 'sign-off',
            approval: { text: 'Release to production?' },
            needs: ['build', 'lint'],
            if: 'args.env == "production"',
          },
          {
            id: 'test',
            script: './test.sh',
            needs: ['sign-off'],
            matrix: { node: [20, 22, 24], db: ['pg', 'sqlite'] },
          },
          {
            id: 'deploy',
            job: 'deploy/storefront',
            needs: ['test'],
            foreach: 'args.hosts',
            args: { host: { from: 'item' }, version: { from: 'args.version' } },
          },
          { id: 'smoke', script: './lint.sh', needs: ['deploy'] },
          { id: 'report', script: './report.sh', needs: ['smoke'], always: true },
        ],
      },
      null,
      2,
    ),
    'checkout.sh': script('echo "at 9f31c2e, 312 files"'),
    'build.sh': script(
      String.raw`for n in $(seq 24); do echo -e "\e[36mcompiled\e[0m module $n of 24"; done`,
      'mkdir -p dist; echo "shop" > dist/shop.txt',
      'echo "tag=9f31c2e" >> "$FLWD_OUTPUT_FILE"',
    ),
    'lint.sh': script('echo "no problems in 312 files"'),
    'test.sh': script(
      String.raw`for n in $(seq 20); do echo -e "  \e[32m✓\e[0m cart: case $n"; done`,
      'flwd_log warn "price list 2026-11-27 has 2 vouchers with the same code"',
      'if [[ "${FLWD_MATRIX_NODE}-${FLWD_MATRIX_DB}" == 24-pg ]]; then',
      String.raw`  echo -e "  \e[31m✗\e[0m a voucher is taken once"`,
      `  echo "${voucher.message}" >&2`,
      '  exit 1',
      'fi',
    ),
    'report.sh': script('echo "{\\"tests\\": 312, \\"failed\\": 1}" > "$FLWD_RESULT_FILE"'),
  },
  history: {
    everyMin: 100,
    tookMs: 6.5 * min,
    fails: 0.04,
    failsForHours: 3.5,
    errors: [voucher],
    by: ['mara.lindt', 'jon.weber', 'ci-helper'],
    args: [
      {
        env: 'production',
        version: '2.14.0-rc.3',
        hosts: ['web1.fra', 'web2.fra', 'web3.ams'],
        canary: 10,
        tell: true,
      },
      { env: 'staging', version: '2.14.0-rc.2', hosts: ['web1.fra'], canary: 0, tell: false },
    ],
  },
};

const gated = (title: string, text: string, config: Config, history: DemoHistory): DemoJob => ({
  files: {
    'config.yaml': JSON.stringify({
      name: title,
      ...config,
      steps: [
        { id: 'check', script: './check.sh' },
        { id: 'ask', approval: { text }, needs: ['check'] },
        { id: 'apply', script: './apply.sh', needs: ['ask'] },
      ],
    }),
    'check.sh': script('echo "checked"'),
    'apply.sh': script('echo "applied"'),
  },
  history,
});

/** A job with several steps, one of which has an instance per region. */
const staged = (title: string, config: Config, history: DemoHistory): DemoJob => ({
  files: {
    'config.yaml': JSON.stringify({
      name: title,
      ...config,
      steps: [
        { id: 'fetch', script: './work.sh' },
        { id: 'transform', script: './work.sh', needs: ['fetch'], matrix: { region: ['fra', 'ams', 'lhr'] } },
        { id: 'load', script: './work.sh', needs: ['transform'] },
      ],
    }),
    'work.sh': script(work(title)),
  },
  history,
});

const endless = (title: string, config: Config, history: DemoHistory): DemoJob => ({
  files: bash(
    [
      'for n in $(seq 600); do',
      '  row=$((25200 + n * 84))',
      '  printf -v words "row %d,%03d of 84,000" $((row / 1000)) $((row % 1000))',
      '  flwd_progress "$((30 + n / 10))" "$words"',
      '  sleep 1',
      'done',
    ].join('\n'),
    {
      name: title,
      ...config,
    },
  ),
  history,
});

/** A job whose config.yaml has an error. */
export const invalidJob = 'ops/broken';

export const demoJobs: Readonly<Record<string, DemoJob>> = {
  'backup/media-assets': quick('Media assets', cron('30 2 * * *'), {
    everyMin: day,
    tookMs: 30 * min,
    growth: 1.1,
    fails: 0.03,
    errors: [disk],
  }),
  'backup/pg-nightly': quick(
    'PostgreSQL, nightly',
    { tags: ['critical'], artifacts: { paths: ['*.dump'] }, ...cron('15 1 * * *') },
    { everyMin: day, tookMs: 6.8 * min, growth: 1.12 },
  ),
  'backup/restore-rehearsal-of-the-orders-database-on-a-fresh-host': quick(
    'Restore rehearsal',
    { ...cron('0 4 * * SUN') },
    { everyMin: 2 * day, tookMs: 45 * min, growth: 1.25, fails: 0.06, errors: [timeout] },
  ),
  'build/container-images': {
    files: {
      'config.yaml': JSON.stringify({
        name: 'Container images',
        args: [
          { name: 'ref', default: 'main@9f31c2e' },
          { name: 'push', type: 'boolean', default: true },
        ],
        steps: [
          {
            id: 'image',
            script: './build.sh',
            matrix: { image: ['shop', 'api', 'worker'], arch: ['amd64', 'arm64', 'riscv64'] },
          },
        ],
      }),
      'build.sh': script('echo "built ${FLWD_MATRIX_IMAGE} for ${FLWD_MATRIX_ARCH}"'),
    },
    history: {
      everyMin: 180,
      tookMs: 5.3 * min,
      fails: 0.05,
      errors: [{ message: 'manifest unknown' }],
      by: ['ci-helper'],
      args: [{ ref: 'main@9f31c2e', push: true }],
    },
  },
  'build/docs-site': quick('Documentation', pushes, { everyMin: 300, tookMs: 74_000, fails: 0.01, by: ['ci-helper'] }),
  'build/mobile-app': quick(
    'Mobile app',
    {},
    { everyMin: 240, tookMs: 21 * min, fails: 0.12, errors: [xcode], by: ['ci-helper', 'jon.weber'] },
  ),
  'data/catalog-import': staged('Catalog import', cron('0 14 * * *'), {
    everyMin: 12 * 60,
    tookMs: 96_000,
    growth: 1.33,
    fails: 0.02,
    errors: [timeout],
  }),
  'data/customer-segments': quick('Customer segments', cron('10 3 * * *'), {
    everyMin: day,
    tookMs: 9 * min,
    growth: 0.78,
    fails: 0.01,
  }),
  'data/exchange-rates': quick(
    'Exchange rates',
    { ...cron('*/15 * * * *'), args: [{ name: 'base', default: 'EUR' }] },
    { everyMin: 15, tookMs: 3_400, fails: 0.001, args: [{ base: 'EUR' }] },
  ),
  'data/orders-to-warehouse': staged(
    'Orders to the warehouse',
    { tags: ['critical'], ...cron('*/20 * * * *') },
    { everyMin: 20, tookMs: 148_000, fails: 0.016, errors: [timeout] },
  ),
  'data/reconcile-payments': quick(
    'Reconcile payments',
    { tags: ['critical'], ...cron('0 2 * * *'), args: [{ name: 'day', format: 'date' }] },
    { everyMin: 200, tookMs: 233_000, growth: 1.22, fails: 0.12, errors: [timeout], by: ['ci-helper', 'local'] },
  ),
  'data/stock-sync': quick(
    'Stock of all stores',
    { tags: ['critical'], ...cron('*/5 * * * *'), args: [{ name: 'stores', type: 'integer', default: 9 }] },
    { everyMin: 5, tookMs: 22_000, fails: 0.009, errors: [timeout], args: [{ stores: 9 }] },
  ),
  'db/migrate': gated(
    'Migrate the database',
    'Drop column orders.legacy_total (9.1 M rows)',
    {},
    { everyMin: 3 * day, tookMs: 18_000, fails: 0.03, by: people },
  ),
  'db/refresh-materialized-views': quick('Refresh views', cron('0 * * * *'), { everyMin: 60, tookMs: 64_000 }),
  'db/vacuum-analyze': quick('Vacuum', cron('0 3 * * SAT'), { everyMin: 4 * day, tookMs: 15.3 * min, growth: 1.23 }),
  'deploy/api': gated(
    'Deploy the API',
    'Release 2.14.0 to 3 production hosts?',
    { tags: ['prod'], concurrency: { limit: 1 } },
    { everyMin: 400, tookMs: 184_000, fails: 0.02, by: people },
  ),
  'deploy/edge-config': quick('Edge configuration', { tags: ['prod'] }, { everyMin: 300, tookMs: 31_000, by: people }),
  'deploy/rollback': quick(
    'Roll back',
    { args: [{ name: 'service', required: true, enum: ['api', 'storefront'] }, { name: 'to' }] },
    { everyMin: 4 * day, tookMs: 47_000, by: people, args: [{ service: 'storefront', to: '2.13.4' }] },
  ),
  'deploy/storefront': endless(
    'Deploy the storefront',
    {
      tags: ['prod'],
      concurrency: { limit: 1 },
      args: [{ name: 'version', default: '2.14.0-rc.2' }, { name: 'host' }],
    },
    { everyMin: 700, tookMs: 236_000, growth: 1.44, fails: 0.03, by: people, args: [{ version: '2.14.0-rc.2' }] },
  ),
  'infra/dns-sync': quick('DNS', { ...cron('30 * * * *'), ...afterCertificates }, { everyMin: 60, tookMs: 9_100 }),
  'infra/patch-hosts': gated('Patch hosts', 'Reboot db-2? Kernel 6.12.9, 4 min down', cron('0 22 * * TUE'), {
    everyMin: 2 * day,
    tookMs: 55 * min,
    fails: 0.08,
    errors: [{ message: 'E: Could not get lock /var/lib/dpkg/lock' }],
  }),
  'infra/terraform-drift': quick('Drift', cron('0 6 * * *'), {
    everyMin: day,
    tookMs: 268_000,
    growth: 1.27,
    fails: 0.04,
  }),
  'ml/embed-products': endless(
    'Embed products',
    { tags: ['gpu'], ...cron('30 0 * * SAT') },
    {
      everyMin: day,
      tookMs: 25 * min,
      fails: 0.06,
      errors: [cuda],
    },
  ),
  'ml/evaluate-search': quick(
    'Evaluate the search',
    { tags: ['gpu'], ...cron('0 5 * * MON') },
    {
      everyMin: 2 * day,
      tookMs: 13 * min,
      fails: 0.1,
      errors: [cuda],
    },
  ),
  'ml/retrain-recommendations': quick(
    'Retrain recommendations',
    { tags: ['gpu'], ...cron('0 1 * * SUN') },
    { everyMin: day, tookMs: 102 * min, fails: 0.14, errors: [cuda] },
  ),
  'ops/certificates': quick('Renew certificates', cron('0 5 * * *'), { everyMin: day, tookMs: 12_000 }),
  'ops/healthcheck': quick(
    'Health of all endpoints',
    { ...cron('*/5 * * * *'), args: [{ name: 'endpoints', type: 'integer', default: 38 }] },
    { everyMin: 5, tookMs: 6_200, args: [{ endpoints: 38 }] },
  ),
  'ops/log-archive': quick('Archive logs', cron('30 3 * * *'), { everyMin: day, tookMs: 11 * min }),
  'ops/rotate-keys': quick('Rotate keys', {}, { everyMin: 6 * day, tookMs: 21_000, by: people }),
  'ops/free-disk': quick('Free disk space', { ...cron('@daily'), enabled: false }, null),
  'report/daily-revenue': quick('Daily revenue', cron('30 6 * * *'), { everyMin: day, tookMs: 88_000 }),
  'report/gdpr-export': quick(
    'What we know of a person',
    {
      args: [
        { name: 'person', required: true },
        { name: 'token', secret: true },
      ],
    },
    { everyMin: 900, tookMs: 91_000, by: people, args: [{ person: 'ada@shop.example' }] },
  ),
  'report/kpi': quick('Figures of the day', cron('0 13 * * *'), { everyMin: day, tookMs: 41_000 }),
  'report/orders-eu': quick('Orders, EU', cron('15 8 * * MON-FRI'), { everyMin: day, tookMs: 52_000 }),
  'security/cert-expiry': quick('Certificates about to expire', cron('15 7 * * *'), { everyMin: day, tookMs: 8_000 }),
  'security/dependency-audit': quick('Audit of dependencies', cron('30 2 * * *'), {
    everyMin: day,
    tookMs: 190_000,
    fails: 0.05,
    errors: [{ message: '2 vulnerabilities (1 moderate, 1 high)' }],
  }),
  'security/image-scan': quick('Scan of images', cron('0 2 * * *'), { everyMin: day, tookMs: 16 * min }),
  'security/deps': quick('Licences', cron('0 22 * * *'), { everyMin: day, tookMs: 24_000 }),
  'shop/abandoned-carts': quick('Abandoned carts', cron('0 20 * * *'), { everyMin: day, tookMs: 63_000 }),
  'shop/feature-flags': quick(
    'Feature flags',
    {
      args: [
        { name: 'flag', required: true },
        { name: 'on', type: 'integer', minimum: 0, maximum: 100 },
      ],
    },
    { everyMin: 500, tookMs: 4_600, by: people, args: [{ flag: 'checkout-v2', on: 25 }] },
  ),
  'shop/price-update': quick('Prices', cron('28 * * * *'), {
    everyMin: 60,
    tookMs: 74_000,
    fails: 0.01,
    failsForHours: 3.5,
    errors: [voucher],
  }),
  'shop/release': release,
  'shop/search-index': endless('Search index', cron('45 5 * * *'), { everyMin: 360, tookMs: 205_000, fails: 0.01 }),
  'shop/sitemap': quick('Sitemap', cron('0 4 * * *'), { everyMin: day, tookMs: 19_000 }),
  'web/link-check': endless('Links', cron('0 23 * * *'), { everyMin: day, tookMs: 164_000, fails: 0.03 }),
  'web/lighthouse': quick('Lighthouse', cron('30 9 * * *'), { everyMin: day, tookMs: 140_000 }),
  'web/synthetic-checkout': quick(
    'A checkout by a robot',
    {
      ...cron('*/10 * * * *'),
      args: [{ name: 'browser', enum: ['chromium', 'firefox', 'webkit'], default: 'chromium' }],
    },
    {
      everyMin: 10,
      tookMs: 43_000,
      fails: 0.008,
      errors: [{ message: 'TimeoutError: locator.click: Timeout 30000 ms exceeded' }],
      args: [{ browser: 'chromium' }],
    },
  ),
};
