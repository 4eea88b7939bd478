// Takes the pictures of the console in docs/images: starts a server with the example jobs and a job with steps, and
// opens it in Chromium. `npm run screenshots`.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';
import { buildConsole } from '../build-console.ts';

const checkout = join(import.meta.dirname, '..');
const images = join(import.meta.dirname, 'images');
const port = 18_480;
const base = `http://127.0.0.1:${port}`;

const release = {
  name: 'Release',
  description: 'Builds, tests and ships the shop',
  tags: ['shop', 'nightly'],
  schedules: [{ cron: '0 3 * * *', timezone: 'Europe/Berlin' }],
  steps: [
    { id: 'checkout', script: './checkout.sh' },
    { id: 'build', script: './build.sh', needs: ['checkout'] },
    { id: 'lint', script: './checkout.sh', needs: ['checkout'] },
    { id: 'test', script: './test.sh', needs: ['build'] },
    { id: 'ship', script: './checkout.sh', needs: ['test', 'lint'] },
  ],
};
const scripts = {
  'checkout.sh': 'echo "at 4f1c2ab, 312 files"\nsleep 0.4',
  'build.sh': String.raw`for n in $(seq 24); do echo -e "\e[36mcompiled\e[0m module $n of 24"; done; sleep 0.9`,
  'test.sh': String.raw`for n in $(seq 40); do echo -e "\e[32m✓\e[0m cart: case $n"; done
flwd_log warn "the price list is 3 days old"
echo -e "\e[31m✗\e[0m cart: a voucher is taken once"
echo "expected 17.50, got 14.00 (cart.test:88)" >&2
exit 1`,
};

function prepare(dir: string): void {
  cpSync(join(checkout, 'examples/jobs'), join(dir, 'jobs'), { recursive: true });
  const job = join(dir, 'jobs/shop/release');
  mkdirSync(job, { recursive: true });
  writeFileSync(join(job, 'config.yaml'), JSON.stringify(release));
  for (const [name, text] of Object.entries(scripts)) {
    writeFileSync(join(job, name), `#!/usr/bin/env bash\n${text}\n`);
    chmodSync(join(job, name), 0o755);
  }
  const config = {
    instance: { name: 'pictures', data_dir: './data' },
    sources: [{ name: 'local-fs', type: 'fs', path: './jobs' }],
    security: { paths: ['.'] },
  };
  writeFileSync(join(dir, 'flwd.yaml'), JSON.stringify(config));
}

async function run(jobId: string, args: object = {}): Promise<string> {
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ job_id: jobId, args, async: false });
  const answer = await fetch(`${base}/api/v1/runs`, { method: 'POST', headers, body });
  return JSON.parse(await answer.text()).run_id;
}

async function takePictures(): Promise<void> {
  await run('backup/directory');
  await run('backup/directory', { level: 9 });
  await run('disk/usage-chart');
  await run('shop/release');
  const failed = await run('shop/release');
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
  });
  const pictures = [
    ['jobs', '/jobs', 'shop/release', 'light', 1200],
    ['job', '/jobs/backup/directory', 'Starts at once', 'light', 1200],
    ['run', `/runs/${failed}`, 'cart.test:88', 'light', 1200],
    ['run-dark', `/runs/${failed}`, 'cart.test:88', 'dark', 1200],
    ['run-phone', `/runs/${failed}`, 'cart.test:88', 'dark', 360],
    ['runs', '/runs?q=since%3A1d', 'shop/release', 'light', 1200],
    // Cut here: below are paths and the kernel version of the machine that took the picture.
    ['system', '/system', 'run.create', 'dark', 1200, 490],
  ] as const;
  for (const [name, path, text, colorScheme, width, height = 800] of pictures) {
    const page = await browser.newPage({ viewport: { width, height }, colorScheme, reducedMotion: 'reduce' });
    await page.goto(base + path);
    await page.getByText(text).first().waitFor();
    await page.getByText('healthy').first().waitFor();
    const loading = page.locator('.loading');
    while ((await loading.count()) > 0) await loading.first().waitFor({ state: 'detached' });
    await page.screenshot({ path: join(images, `${name}.png`) });
    await page.close();
  }
  await browser.close();
}

await buildConsole();
const dir = mkdtempSync(join(tmpdir(), 'flwd-pictures-'));
prepare(dir);
const words = [
  join(checkout, 'bin/flwd.js'),
  'serve',
  '--config',
  join(dir, 'flwd.yaml'),
  '--bind',
  `127.0.0.1:${port}`,
];
const server = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
try {
  for await (const line of createInterface({ input: server.stdout })) if (line.includes(String(port))) break;
  mkdirSync(images, { recursive: true });
  await takePictures();
} finally {
  server.kill();
  await once(server, 'exit');
  rmSync(dir, { recursive: true, force: true });
}
