// The form of the names of stored secrets.

export const secretNamePattern = '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$';

const pattern = new RegExp(secretNamePattern);

export function isSecretName(text: string): boolean {
  return pattern.test(text);
}
