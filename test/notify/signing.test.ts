import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openSigner } from '../../src/notify/signing.ts';

function keyFile(content?: string): string {
  const dir = mkdtempSync(join(tmpdir(), 'flwd-signing-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const path = join(dir, 'notify.key');
  if (content !== undefined) writeFileSync(path, content);
  return path;
}

// The example that the specification's own libraries use.
test('a message is signed as Standard Webhooks defines it', () => {
  const signer = openSigner(keyFile('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n'));
  const message = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', body: '{"test": 2432232314}', atMs: 1_614_265_330_999 };
  expect(signer.headers(message)).toEqual({
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
});

test('the first start creates a key that only its user can read, and the next start uses it again', () => {
  const path = keyFile();
  const message = { id: 'notice_1', body: '{}', atMs: 0 };
  const first = openSigner(path).headers(message);
  expect(readFileSync(path, 'utf8')).toMatch(/^whsec_[A-Za-z0-9+/]{43}=\n$/);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(openSigner(path).headers(message)).toEqual(first);
});

test.each(['', 'secret\n', 'whsec_c2hvcnQ=\n', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\nother\n'])(
  'a key file with the content %j is refused, and the content is not shown',
  (content) => {
    const path = keyFile(content);
    expect(() => openSigner(path)).toThrow(
      `${path} must contain one key for notifications per line, each whsec_ and 24 to 64 bytes in base64; restore the file from a backup, or remove it to get a new key`,
    );
  },
);
