// Commands that use a remote server whose certificate this machine does not trust.

import { writeFileSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Server as NetServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type Certificate, createCertificate, createIssued, createPairFiles } from '../support/a-certificate.ts';
import { bash, writeJob } from '../support/jobs.ts';
import { createFolder, flwd, start } from './terminal.ts';

const issued = createIssued('elsewhere', 'DNS:localhost,IP:127.0.0.1');
const selfSigned = createCertificate('self');
const forOthers = createCertificate('other', 'DNS:flwd.example.org,DNS:flwd.example.net');
const long = ['-not_before', '20200101000000Z', '-not_after', '20200102000000Z'];
const expired = createCertificate('old', 'DNS:localhost,IP:127.0.0.1', long);
const early = ['-not_before', '20900101000000Z', '-not_after', '20900102000000Z'];
const notYet = createCertificate('young', 'DNS:localhost,IP:127.0.0.1', early);

async function portOf(server: Server | NetServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function writeRemote(dir: string, baseUrl: string, more: Readonly<Record<string, unknown>>): void {
  writeFileSync(join(dir, 'flwd.yaml'), JSON.stringify({ remotes: { prod: { base_url: baseUrl, ...more } } }));
}

test.each<[string, Certificate, string | undefined, string]>([
  ['self-signed', selfSigned, undefined, 'it is self-signed. If this is your server, name'],
  ['of an unknown authority', issued, undefined, 'its authority is not known here. If this is your server'],
  ['of another authority than that of ca_file', issued, selfSigned.cert, 'its authority is not known'],
  [
    'expired',
    expired,
    expired.cert,
    'it, or the certificate of its authority, has expired. Renew it on the server, and check',
  ],
  [
    'not valid yet',
    notYet,
    notYet.cert,
    'it, or the certificate of its authority, is not valid yet. Check the clocks of this machine and of the server.',
  ],
  [
    'for other names',
    forOthers,
    forOthers.cert,
    'it is for flwd.example.org, flwd.example.net. Use an address with one of these names, or install another',
  ],
])('a certificate that is %s is reported with a fix', async (_what, certificate, ca, message) => {
  const dir = createFolder();
  const url = `https://localhost:${await portOf(createServer(certificate, (_request, response) => response.end()))}`;
  if (ca !== undefined) writeFileSync(join(dir, 'ca.pem'), ca);
  writeRemote(dir, url, ca === undefined ? {} : { ca_file: 'ca.pem' });
  const seen = await flwd(dir, 'runs', '--remote', 'prod');
  expect(seen.stderr).toContain(`The certificate of the server at ${url} is not trusted: `);
  expect(seen.stderr).toContain(message);
  expect(seen.code).toBe(5);
});

test('a server that does not speak TLS is reported as such', async () => {
  const dir = createFolder();
  const port = await portOf(createHttp((_request, response) => response.end()));
  const seen = await flwd(dir, 'runs', '--remote', `https://localhost:${port}`);
  expect(seen).toMatchObject({
    stderr: `The server at https://localhost:${port} does not speak TLS: use http:// instead of https://.\n`,
    code: 5,
  });
});

test.each([
  [['jobs']],
  [['run', 'hello']],
  [['logs', 'run_01HX0000000000000000000000', '--follow']],
  [['events']],
  [['artifacts', 'get', 'artifact_01HX0000000000000000000000']],
  [['tokens', 'list']],
])('flwd %j also reports a certificate that is not trusted', async (words) => {
  const dir = createFolder();
  const url = `https://127.0.0.1:${await portOf(createServer(selfSigned, (_request, response) => response.end()))}`;
  const seen = await flwd(dir, ...words, '--remote', url);
  expect(seen).toMatchObject({ code: 5, stdout: '' });
  expect(seen.stderr).toContain(`The certificate of the server at ${url} is not trusted: it is self-signed.`);
});

test('with ca_file a remote is trusted in calls, streams and downloads', async () => {
  const dir = createFolder();
  await writeJob(join(dir, 'jobs/hello'), bash('echo hello; echo kept > "$FLWD_ARTIFACTS_DIR/kept.txt"'));
  const { files } = createPairFiles(dir, issued);
  const tls = { cert_file: files.certFile, key_file: files.keyFile };
  const config = { instance: { data_dir: 'data' }, server: { bind: '127.0.0.1:0', tls }, auth: { mode: 'required' } };
  writeFileSync(join(dir, 'flwd.yaml'), JSON.stringify(config));
  const { prints } = start(dir, ['serve']);
  const [, url = ''] = await prints(/listening on (https:\S+)/);
  const { stdout: token } = await flwd(dir, 'tokens', 'create', '--name', 'ci', '--scopes', 'admin', '--quiet');

  const elsewhere = createFolder();
  writeFileSync(join(elsewhere, 'ca.pem'), `# ours\n${selfSigned.cert}\n${issued.authority}`);
  writeFileSync(join(elsewhere, 'token'), token);
  writeRemote(elsewhere, url, { ca_file: 'ca.pem', auth: { token_file: 'token' } });
  const remote = (...words: string[]) => flwd(elsewhere, ...words, '--remote', 'prod');
  expect(await remote('hello')).toMatchObject({ stdout: 'hello\n', code: 0 });
  expect(await remote('logs', 'hello', '--follow', '--quiet')).toMatchObject({ stdout: 'hello\n', code: 0 });
  const { stdout } = await remote('artifacts', 'hello', '--json');
  const [, id = ''] = /"(artifact_\w+)"/.exec(stdout) ?? [];
  expect(await remote('artifacts', 'get', id, '--output', '-')).toMatchObject({ stdout: 'kept\n', code: 0 });
});

test.each([
  [undefined, '`ca_file` of the remote `prod`: DIR/ca.pem is not there\n'],
  ['no PEM\n', "DIR/ca.pem contains no certificate; put the authority's certificate there in PEM format\n"],
  [selfSigned.key, "DIR/ca.pem contains no certificate; put the authority's certificate there in PEM format\n"],
  [
    `${selfSigned.cert}-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n`,
    "DIR/ca.pem contains a certificate that cannot be read; put the authority's certificate there in PEM format\n",
  ],
])('an unusable ca_file is refused before anything is sent: %#', async (text, message) => {
  const dir = createFolder();
  if (text !== undefined) writeFileSync(join(dir, 'ca.pem'), text);
  writeRemote(dir, 'https://localhost:1', { ca_file: 'ca.pem' });
  const seen = await flwd(dir, 'runs', '--remote', 'prod');
  expect(seen.stderr).toContain(message.replace('DIR', dir));
  expect(seen.code).toBe(2);
});

test('a ca_file for an address without TLS is refused', async () => {
  const dir = createFolder();
  writeRemote(dir, 'http://localhost:1', { ca_file: 'ca.pem' });
  expect(await flwd(dir, 'runs', '--remote', 'prod')).toMatchObject({
    stderr: 'the remote `prod` has a `ca_file`, but its address is not https: http://localhost:1\n',
    code: 2,
  });
});
