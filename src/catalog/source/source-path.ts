// Paths inside a source: relative to its root, separated by `/`; `''` is the root itself.

export function childOf(path: string, name: string): string {
  return path === '' ? name : `${path}/${name}`;
}

/** Undefined for the root. */
export function parentOf(path: string): string | undefined {
  if (path === '') return undefined;
  const slash = path.lastIndexOf('/');
  return slash === -1 ? '' : path.slice(0, slash);
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
