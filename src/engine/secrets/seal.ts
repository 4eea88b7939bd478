// Seals secrets for the database with AES-256-GCM under the first key of the keyring. A sealed text names its key, so
// that the texts of older keys can be found (ADR 0017).

import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import type { Keyring, SealingKey } from './keyring.ts';

export type Sealer = ReturnType<typeof createSealer>;

const algorithm = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;

export function createSealer(keyring: Keyring) {
  const current = (): SealingKey => {
    const [first] = keyring.keys;
    if (!first) throw new Error('a keyring without a key');
    return first;
  };
  return {
    /** `context` is authenticated but not part of the result, so unsealing needs the same context. */
    seal(text: string, context: string): string {
      const { id, sealing } = current();
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(algorithm, sealing, nonce).setAAD(Buffer.from(context));
      const sealed = [nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()];
      return `v2.${id}.${Buffer.concat(sealed).toString('base64url')}`;
    },
    /** Throws when the key, the context or the text does not match. */
    unseal(sealed: string, context: string): string {
      const [, id, bytes = ''] = /^(?:v1|v2\.([0-9a-f]+))\.([\w-]*)$/.exec(sealed) ?? [undefined, '', undefined];
      if (id === '') throw new Error('the sealed text was written by another version of flwd');
      // Texts of an older version do not name their key.
      const keys = id === undefined ? keyring.keys : keyring.keys.filter((key) => key.id === id);
      if (keys.length === 0) throw new Error(`a sealed text needs the key ${id}, which is not among the keys`);
      for (const key of keys) {
        const text = open(Buffer.from(bytes, 'base64url'), key, context);
        if (text !== undefined) return text;
      }
      throw new Error('a sealed text cannot be opened: the key file was replaced, or the text was altered or moved');
    },
    /** The id of the key that seals now. */
    get keyId(): string {
      return current().id;
    },
    /** Returns the same fingerprint for the same text, as long as the keys stay. It is useless without them. */
    fingerprint(text: string): string {
      const [first] = keyring.fingerprintKeys;
      if (!first) throw new Error('a keyring without a key');
      return fingerprintUnder(first, text);
    },
    /** Whether one of the keys made this fingerprint of the text. */
    isFingerprintOf: (fingerprint: string, text: string): boolean =>
      keyring.fingerprintKeys.some((key) => fingerprintUnder(key, text) === fingerprint),
  };
}

function fingerprintUnder(key: Buffer, text: string): string {
  return createHmac('sha256', key).update(text).digest('base64url');
}

/** Returns undefined when the key, the context or the bytes do not match. */
function open(bytes: Buffer, { sealing }: SealingKey, context: string): string | undefined {
  try {
    const decipher = createDecipheriv(algorithm, sealing, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes });
    decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(-tagBytes));
    const text = decipher.update(bytes.subarray(nonceBytes, -tagBytes));
    return Buffer.concat([text, decipher.final()]).toString();
  } catch {
    return undefined;
  }
}
