// Signs notifications as defined by Standard Webhooks, with keys from a file.
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

import { createHmac, randomBytes } from 'node:crypto';
import { openKeyFile } from '../instance/key-file.ts';
import { StartError } from '../lib/start-error.ts';

export type Signer = ReturnType<typeof openSigner>;

type Signed = { readonly id: string; readonly body: string; readonly atMs: number };

const newKeyBytes = 32;
const fewestBytes = 24;
const mostBytes = 64;

/**
 * Opens the key file, and creates it if it is missing. Messages are signed with every key in the file, so a key can be
 * replaced while receivers still use the old one.
 * @throws StartError when the file holds anything but keys
 */
export function openSigner(keyFile: string) {
  const text = openKeyFile(keyFile, () => Buffer.from(`whsec_${randomBytes(newKeyBytes).toString('base64')}\n`));
  const lines = text.toString().split('\n').filter(Boolean);
  const keys = lines.map(readKey).filter((key) => key !== undefined);
  if (keys.length === 0 || keys.length < lines.length) {
    throw new StartError(
      `${keyFile} must contain one key for notifications per line, each whsec_ and ${fewestBytes} to ${mostBytes} bytes in ` +
        'base64; restore the file from a backup, or remove it to get a new key',
    );
  }
  return {
    /** The three headers of a message that is sent now. */
    headers({ id, body, atMs }: Signed): Readonly<Record<string, string>> {
      const seconds = Math.floor(atMs / 1000);
      const signatures = keys.map(
        (key) => `v1,${createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64')}`,
      );
      return { 'webhook-id': id, 'webhook-timestamp': String(seconds), 'webhook-signature': signatures.join(' ') };
    },
  };
}

function readKey(line: string): Buffer | undefined {
  const encoded = /^whsec_([A-Za-z0-9+/]+={0,2})\s*$/.exec(line)?.[1];
  const key = encoded === undefined ? undefined : Buffer.from(encoded, 'base64');
  return key && key.length >= fewestBytes && key.length <= mostBytes ? key : undefined;
}
