// A server that no longer accepts the token. The UI sends nothing more until the user asks for it.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, expect, onTestFinished } from 'vitest';
import { startServing } from '../server/serving.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { openTui } from './a-terminal.ts';

const server = await startServing({ jobs: { demo: bash('true') } });
afterAll(() => server.close());

type Door = { readonly url: string; isOpen: boolean; refused: number; waiting: number };

/** A proxy in front of the server. While the proxy is closed, it replaces the token by a wrong one. */
async function openDoor(): Promise<Door> {
  const streams = new AbortController();
  const { signal } = streams;
  const front = createServer((request, response) => {
    const authorization = door.isOpen ? request.headers.authorization : 'Bearer flwd_wrong';
    const headers = { accept: request.headers.accept ?? '*/*', ...(authorization && { authorization }) };
    door.waiting++;
    fetch(`${server.url}${request.url}`, { method: request.method ?? 'GET', headers, signal }).then(
      (answer) => {
        door.waiting--;
        if (answer.status === 401) door.refused++;
        response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
        if (answer.body)
          Readable.fromWeb(answer.body)
            .on('error', () => response.destroy())
            .pipe(response);
        else response.end();
      },
      () => {
        door.waiting--;
        response.destroy();
      },
    );
  });
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    streams.abort();
    front.closeAllConnections();
    front.close();
  });
  const door: Door = {
    url: `http://127.0.0.1:${(front.address() as AddressInfo).port}`,
    isOpen: true,
    refused: 0,
    waiting: 0,
  };
  return door;
}

testWith('tmux')('a user without a token can read the whole command that creates one, in 80 columns', async () => {
  await using guarded = await startServing({ authMode: 'required', jobs: { demo: bash('true') } });
  const terminal = await openTui(guarded.url, { columns: 80, rows: 24 });
  const screen = await terminal.sees('refused:');
  const [refusal = ''] = screen.split(/\n.*Unauthenticated/);
  expect(refusal.replaceAll(/\s+/g, ' ')).toContain('To create one: `flwd tokens create --name NAME --scopes A,B`.');
});

testWith('tmux')('after the token was refused, nothing is sent until the user asks for it', async () => {
  const { credential } = await server.token();
  const door = await openDoor();
  const run = await server.addRun();
  await run.move('claim');
  const terminal = await openTui(door.url, { token: credential });
  await terminal.sees(/❯ demo/);
  await terminal.sees(/^flwd .* ● \w+\n/);
  await terminal.press('2');
  await terminal.sees(/● running +demo/);
  door.isOpen = false;
  await terminal.press('1');
  await terminal.sees(/^flwd .* ✗ refused: \S/);
  await terminal.sees('Unauthenticated: ');
  await terminal.sees(/\n *Ctrl-R: try again {2}↑↓ move/);
  // Requests that were already sent before the first refusal are refused as well.
  await expect.poll(() => door.waiting).toBe(0);
  const before = door.refused;
  await terminal.press('2');
  await terminal.sees(/Runs[\s\S]*Unauthenticated: /);
  // Longer than the interval at which a list is reloaded.
  await pause(6_000);
  expect(door.refused).toBe(before);
  await terminal.press('C-r');
  await expect.poll(() => door.refused).toBe(before + 1);
  door.isOpen = true;
  await terminal.press('C-r');
  await terminal.sees(/^flwd .* ● \w+\n[\s\S]*● running +demo/);
  await terminal.press('Enter');
  await run.print('back again');
  await terminal.sees('I back again');
  expect(await terminal.screen()).not.toContain('Unauthenticated');
});
