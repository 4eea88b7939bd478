// The keys that seal: of a file that is made where there is none, or given by the environment. The first seals, all open, so
// that a key can be replaced while texts of the old one are still there (ADR 0017).

import { hkdfSync, randomBytes } from 'node:crypto';
import { openKeyFile, replaceKeyFile } from '../../instance/key-file.ts';
import { errorCode } from '../../lib/error-code.ts';
import { StartError } from '../../lib/start-error.ts';

export type SealingKey = {
  /** Derived from the key: it says which one a text needs, and nothing about it. */
  readonly id: string;
  readonly sealing: Buffer;
  readonly fingerprint: Buffer;
};

export type Keyring = {
  readonly origin: 'file' | 'environment';
  /** Never empty. */
  readonly keys: readonly SealingKey[];
  readonly fingerprintKey: Buffer;
  /** Puts a new key first. @throws StartError where the keys are not flwd's to change */
  readonly add: () => void;
  /** Drops all but the first. @throws StartError where the keys are not flwd's to change */
  readonly dropOthers: () => void;
};

type Secrets = { readonly keys: readonly Buffer[]; readonly fingerprintKey: Buffer | undefined };

const keyBytes = 32;

/**
 * `given` are the keys of the environment, as text: the file is then neither made nor read. `storedSecrets` are already sealed
 * by a key: where there are any, no other one is made. @throws StartError when there is no key
 */
export function openKeyring(keyFile: string, given: string | null = null, storedSecrets = 0): Keyring {
  if (given !== null) {
    const keys = given.split(',').map((text) => parseKey(text.trim(), 'fsk_'));
    if (keys.some((key) => key === undefined))
      throw new StartError(`FLWD_SECRET_KEY holds no keys: ${whatKeysAre}, separated by commas`);
    return ringOf({ keys: keys.filter((key) => key !== undefined), fingerprintKey: undefined }, undefined);
  }
  const bytes = openKeyFile(keyFile, () => {
    if (storedSecrets > 0) {
      throw new StartError(
        `the key file ${keyFile} is not there, and the database holds secrets that a key has sealed (${storedSecrets}): set FLWD_SECRET_KEY where the keys were given by it, or put the key file back; where the key is lost, write a new one into the file, and set the secrets again`,
      );
    }
    return Buffer.from(`${toText('fsk_', randomBytes(keyBytes))}\n`);
  });
  return ringOf(readSecrets(bytes, keyFile), keyFile);
}

const whatKeysAre = 'each is fsk_ and 32 bytes in base64';

/** @throws StartError */
function readSecrets(bytes: Buffer, keyFile: string): Secrets {
  // As it was made before: the bytes of one key, and nothing else.
  if (bytes.length === keyBytes) return { keys: [bytes], fingerprintKey: undefined };
  const lines = bytes
    .toString('latin1')
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
  const keys = lines.map((line) => parseKey(line, 'fsk_')).filter((key) => key !== undefined);
  const others = lines.map((line) => parseKey(line, 'ffk_')).filter((key) => key !== undefined);
  if (keys.length > 0 && keys.length + others.length === lines.length) return { keys, fingerprintKey: others[0] };
  throw new StartError(
    `${keyFile} holds no keys of flwd, one a line, of which ${whatKeysAre}; restore it from a backup, or remove it to get a new one, which cannot open what the old one sealed`,
  );
}

function parseKey(text: string, prefix: string): Buffer | undefined {
  if (!text.startsWith(prefix) || !/^[A-Za-z0-9+/_-]{43}=?$/.test(text.slice(prefix.length))) return undefined;
  return Buffer.from(text.slice(prefix.length), 'base64');
}

function toText(prefix: string, key: Buffer): string {
  return prefix + key.toString('base64url');
}

function ringOf(found: Secrets, keyFile: string | undefined): Keyring {
  let secrets = found;
  let keys = found.keys.map(toSealingKey);

  function change(next: Secrets): void {
    if (keyFile === undefined) throw new StartError('flwd cannot change the keys in FLWD_SECRET_KEY');
    const lines = next.keys.map((key) => toText('fsk_', key));
    if (next.fingerprintKey) lines.push(toText('ffk_', next.fingerprintKey));
    try {
      replaceKeyFile(keyFile, Buffer.from(`${lines.join('\n')}\n`));
    } catch (error) {
      throw new StartError(`the key file cannot be written (${errorCode(error) ?? String(error)})`);
    }
    secrets = next;
    keys = next.keys.map(toSealingKey);
  }

  // Of the oldest: a key that was put in front must not make known requests unknown.
  const fingerprintKey = (): Buffer => secrets.fingerprintKey ?? keys.at(-1)?.fingerprint ?? Buffer.alloc(keyBytes);
  return {
    origin: keyFile === undefined ? 'environment' : 'file',
    get keys() {
      return keys;
    },
    get fingerprintKey() {
      return fingerprintKey();
    },
    add: () => change({ keys: [randomBytes(keyBytes), ...secrets.keys], fingerprintKey: fingerprintKey() }),
    dropOthers: () => change({ keys: secrets.keys.slice(0, 1), fingerprintKey: fingerprintKey() }),
  };
}

function toSealingKey(secret: Buffer): SealingKey {
  return {
    id: derive(secret, 'flwd key id v1').toString('hex', 0, 6),
    sealing: derive(secret, 'flwd seal v1'),
    fingerprint: derive(secret, 'flwd fingerprint v1'),
  };
}

function derive(secret: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', purpose, keyBytes));
}
