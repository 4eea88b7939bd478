// The keys that seal secrets, from a file that is created when it is missing, or from the environment. The first key
// seals and all keys open, so a key can be replaced while texts sealed by the old one still exist (ADR 0017).

import { hkdfSync, randomBytes } from 'node:crypto';
import { openKeyFile, replaceKeyFile } from '../../instance/key-file.ts';
import { errorCode } from '../../lib/error-code.ts';
import { shellWord } from '../../lib/shell-word.ts';
import { StartError } from '../../lib/start-error.ts';

export type SealingKey = {
  /** Derived from the key. It tells which key a text needs, and reveals nothing about the key itself. */
  readonly id: string;
  readonly sealing: Buffer;
  readonly fingerprint: Buffer;
};

export type Keyring = {
  readonly origin: 'file' | 'environment';
  /** Never empty. */
  readonly keys: readonly SealingKey[];
  /**
   * Never empty. The first key makes new fingerprints. Fingerprints that the other keys have made are still recognised.
   */
  readonly fingerprintKeys: readonly Buffer[];
  /** Adds a new key in front. @throws StartError when flwd may not change the keys */
  readonly add: () => void;
  /** Drops all keys but the first. @throws StartError when flwd may not change the keys */
  readonly dropOthers: () => void;
};

/** Without `fingerprintKeys`, fingerprints are made with the keys themselves. */
type Secrets = { readonly keys: readonly Buffer[]; readonly fingerprintKeys: readonly Buffer[] };

const keyBytes = 32;
export const openKeyWords = 'other users can read the key of the secrets';

/**
 * `given` are the keys from the environment; the file is then neither created nor read. If there are `storedSecrets`, a
 * key has sealed them, and no new key is created.
 * @throws StartError when there is no key
 */
export function openKeyring(keyFile: string, given: string | null = null, storedSecrets = 0): Keyring {
  if (given !== null) {
    const keys = given.split(',').map((text) => parseKey(text.trim(), 'fsk_'));
    if (keys.some((key) => key === undefined))
      throw new StartError(`FLWD_SECRET_KEY must contain one or more keys separated by commas; ${whatKeysAre}`);
    return ringOf({ keys: keys.filter((key) => key !== undefined), fingerprintKeys: [] }, undefined);
  }
  const bytes = openKeyFile(keyFile, () => {
    if (storedSecrets > 0) {
      throw new StartError(
        `the key file ${keyFile} is missing, but the database holds secrets encrypted with it (${storedSecrets}); ` +
          'put the key file back, or set FLWD_SECRET_KEY if the keys came from there; if the key is lost, make a new one ' +
          `and set the secrets again: ${newKeyCommand(shellWord(keyFile))}`,
      );
    }
    return Buffer.from(`${toText('fsk_', randomBytes(keyBytes))}\n`);
  });
  return ringOf(readSecrets(bytes, keyFile), keyFile);
}

/** The command for a person to create a key. The server creates no key while the database holds secrets. */
function newKeyCommand(keyWord: string): string {
  return `(umask 077; printf 'fsk_%s\\n' "$(head -c 32 /dev/urandom | base64)" > ${keyWord})`;
}

const whatKeysAre = 'each is fsk_ and 32 bytes in base64';

/** @throws StartError */
function readSecrets(bytes: Buffer, keyFile: string): Secrets {
  // An older form of the file: the bytes of a single key.
  if (bytes.length === keyBytes) return { keys: [bytes], fingerprintKeys: [] };
  const lines = bytes
    .toString('latin1')
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
  const keys = lines.map((line) => parseKey(line, 'fsk_')).filter((key) => key !== undefined);
  const fingerprintKeys = lines.map((line) => parseKey(line, 'ffk_')).filter((key) => key !== undefined);
  if (keys.length > 0 && keys.length + fingerprintKeys.length === lines.length) return { keys, fingerprintKeys };
  const word = shellWord(keyFile);
  const old = shellWord(`${keyFile}.old`);
  throw new StartError(
    `${keyFile} must contain one key per line, and ${whatKeysAre}; restore the file from a backup; if the key is lost, ` +
      `make a new one, which cannot decrypt what the old key encrypted: mv ${word} ${old} && ${newKeyCommand(word)}`,
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
    const lines = [
      ...next.keys.map((key) => toText('fsk_', key)),
      ...next.fingerprintKeys.map((key) => toText('ffk_', key)),
    ];
    try {
      replaceKeyFile(keyFile, Buffer.from(`${lines.join('\n')}\n`));
    } catch (error) {
      throw new StartError(`the key file cannot be written (${errorCode(error) ?? String(error)})`);
    }
    secrets = next;
    keys = next.keys.map(toSealingKey);
  }

  // A person who adds a key in front may remove the old keys a day later: by then, no stored request needs them.
  const fingerprintKeys = (): readonly Buffer[] =>
    secrets.fingerprintKeys.length > 0 ? secrets.fingerprintKeys : keys.map(({ fingerprint }) => fingerprint);
  return {
    origin: keyFile === undefined ? 'environment' : 'file',
    get keys() {
      return keys;
    },
    get fingerprintKeys() {
      return fingerprintKeys();
    },
    add: () => change({ keys: [randomBytes(keyBytes), ...secrets.keys], fingerprintKeys: fingerprintKeys() }),
    dropOthers: () => change({ keys: secrets.keys.slice(0, 1), fingerprintKeys: fingerprintKeys() }),
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
