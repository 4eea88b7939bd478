// Seals secrets for the database: AES-256-GCM under a key file that only the server's user can read.

import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { openKeyFile } from '../lib/key-file.ts';
import { StartError } from '../lib/start-error.ts';

export type Sealer = {
  /** `context` is bound to the text, not hidden in it: the same one is needed to unseal. */
  seal(text: string, context: string): string;
  /** Throws where the key, the context or the text is another one. */
  unseal(sealed: string, context: string): string;
  /** The same for the same text, and worth nothing to whoever lacks the key. */
  fingerprint(text: string): string;
};

const version = 'v1.';
const algorithm = 'aes-256-gcm';
const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;

/**
 * Makes the key file where there is none.
 * @throws StartError when what is there is no key
 */
export function openSealer(keyFile: string): Sealer {
  const secret = openKey(keyFile);
  const sealingKey = deriveKey(secret, 'flwd seal v1');
  const fingerprintKey = deriveKey(secret, 'flwd fingerprint v1');
  return {
    seal(text, context) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(algorithm, sealingKey, nonce).setAAD(Buffer.from(context));
      const sealed = [nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()];
      return version + Buffer.concat(sealed).toString('base64url');
    },
    unseal(sealed, context) {
      if (!sealed.startsWith(version)) throw new Error('the sealed text is of another version of flwd');
      const bytes = Buffer.from(sealed.slice(version.length), 'base64url');
      try {
        const decipher = createDecipheriv(algorithm, sealingKey, bytes.subarray(0, nonceBytes), {
          authTagLength: tagBytes,
        });
        decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(-tagBytes));
        const text = decipher.update(bytes.subarray(nonceBytes, -tagBytes));
        return Buffer.concat([text, decipher.final()]).toString();
      } catch {
        throw new Error('a sealed text cannot be opened: the key file was replaced, or the text was altered or moved');
      }
    },
    fingerprint: (text) => createHmac('sha256', fingerprintKey).update(text).digest('base64url'),
  };
}

function deriveKey(secret: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', purpose, keyBytes));
}

/** @throws StartError when what is there is no key */
function openKey(keyFile: string): Buffer {
  const key = openKeyFile(keyFile, () => randomBytes(keyBytes));
  if (key.length === keyBytes) return key;
  throw new StartError(
    `${keyFile} is no key of flwd: it has ${key.length} bytes instead of ${keyBytes}; restore it from a backup, or remove it to get a new one, which cannot open what the old one sealed`,
  );
}
