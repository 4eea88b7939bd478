// Pages of another server on this machine, in the browser of the user whom flwd identifies as `local`.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterAll, expect, onTestFinished } from 'vitest';
import { startServing } from '../server/serving.ts';
import { headlessChromium } from '../support/headless-chromium.ts';
import { testWith } from '../support/host.ts';
import { aBrowser } from './a-browser.ts';

const browser = aBrowser();
const requests: { path: string; status: number; principal: string }[] = [];
const server = await startServing({
  onLog({ path, status, principal }) {
    if (typeof path === 'string') requests.push({ path, status: Number(status), principal: String(principal) });
  },
});
afterAll(() => server.close());

/** Serves a page on another port, under a name of loopback. */
async function aPage(html: string, name: string): Promise<string> {
  const other = createServer((_, answer) => answer.setHeader('content-type', 'text/html').end(html));
  await once(other.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void other.close());
  const address = other.address();
  if (address === null || typeof address === 'string') throw new Error('a server without a port');
  return `http://${name}:${address.port}/`;
}

const answered = (path: string) => expect.poll(() => requests.find((request) => request.path === path));

testWith(headlessChromium).for(['127.0.0.1', 'localhost'])(
  'a page on another port of %s cannot change anything as the server’s user',
  async (name) => {
    const run = await server.addRun();
    const api = `${server.url}/api/v1`;
    const paths = ['/system/gc', '/secrets/rotate', `/runs/${run.id}/cancel`];
    requests.length = 0;
    const page = await browser.open(
      await aPage(
        `<script>for (const path of ${JSON.stringify(paths)}) fetch('${api}' + path, { method: 'POST', mode: 'no-cors' })</script>
        <iframe name="there"></iframe>
        <form method="post" action="${api}/runs/${run.id}/rerun" target="there" rel="noreferrer"></form>
        <script>document.forms[0].submit()</script>
        <iframe sandbox="allow-scripts" srcdoc="<script>fetch('${api}/runs/${run.id}/cancel?force=true', { method: 'POST', mode: 'no-cors' })</script>"></iframe>`,
        name,
      ),
      { isForeign: true },
    );
    for (const path of [...paths, `/runs/${run.id}/rerun`])
      await answered(`/api/v1${path}`).toMatchObject({ status: 403, principal: 'anonymous' });
    await expect.poll(() => requests.filter((request) => request.path.endsWith('/cancel')).length).toBe(2);
    await page.close();
    expect(new Set(requests.map((request) => request.principal))).toEqual(new Set(['anonymous']));
    expect(await server.store.runs.get(run.id)).toMatchObject({ status: 'pending', cancel_requested_at: null });
  },
);

testWith(headlessChromium)('requests that a page on another port embeds have no identity', async () => {
  requests.length = 0;
  await browser.open(
    await aPage(
      `<img src="${server.url}/api/v1/jobs"><script src="${server.url}/metrics"></script>
      <iframe src="${server.url}/api/v1/runs"></iframe>
      <script>new EventSource('${server.url}/api/v1/events/runs')</script>`,
      '127.0.0.1',
    ),
    { isForeign: true },
  );
  for (const path of ['/api/v1/jobs', '/metrics', '/api/v1/runs'])
    await answered(path).toMatchObject({ status: 401, principal: 'anonymous' });
  await answered('/api/v1/events/runs').toMatchObject({ status: 403, principal: 'anonymous' });
});

testWith(headlessChromium).for(['127.0.0.1', 'localhost'])(
  'a link on another page opens the console, which works as the server’s user at %s',
  async (name) => {
    const there = `http://${name}:${new URL(server.url).port}/runs`;
    const page = await browser.open(await aPage(`<a href="${there}">runs</a>`, 'localhost'), { isForeign: true });
    const run = await server.addRun();
    await page.getByRole('link', { name: 'runs' }).click();
    await page.getByRole('checkbox', { name: new RegExp(run.id) }).waitFor();
    expect(page.url()).toBe(there);
  },
);
